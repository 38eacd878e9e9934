/** The helper for vitest in use: tests that destroy their database, in an order that would show. */
import type { Database } from 'sql.js';
import { describe, expect, it } from 'vitest';

import { loadSqlite, openInMemory } from '../src/sqlite.ts';
import { restoredAfterEach } from '../src/vitest-fixtures.ts';

describe('a database with fixtures', () => {
  let database: Database;

  restoredAfterEach(async () => {
    const sqlite = await loadSqlite();
    database = openInMemory(sqlite);
    database.run('CREATE TABLE app.items (id INTEGER PRIMARY KEY, name TEXT)');
    database.run("INSERT INTO app.items (name) VALUES ('one'), ('two'), ('three')");
    return sqlite.instance;
  });

  const names = (): unknown => database.exec('SELECT group_concat(name) FROM app.items')[0]?.values[0]?.[0];

  it.each([1, 2, 3])('is as it was, time %i', () => {
    expect(names()).toBe('one,two,three');
    database.run("INSERT INTO app.items (name) VALUES ('four')");
    expect(names()).toBe('one,two,three,four');
  });

  it('is there after a test that dropped everything', () => {
    database.run('DROP TABLE app.items');
    expect(() => names()).toThrow(/no such table/);
  });

  it('is there after a test that left a transaction open', () => {
    database.run('BEGIN');
    database.run('DELETE FROM app.items');
    expect(names()).toBe(null);
  });

  it('is there in the end, and takes new rows', () => {
    expect(names()).toBe('one,two,three');
    database.run("INSERT INTO app.items (name) VALUES ('last')");
    expect(names()).toBe('one,two,three,last');
  });
});
