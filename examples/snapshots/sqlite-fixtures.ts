/**
 * SQLite, back to its fixtures after every test: the database with all its tables, and whatever a test inserts, drops or
 * leaves in a transaction is gone in microseconds. `src/vitest-fixtures.ts` has the helper for vitest.
 *
 * What others do is beside it: make the database and its fixtures again, or load a copy of its file.
 */
import assert from 'node:assert/strict';

import { snapshot } from '@guardstripe/snapshot';

import { loadSqlite, openInMemory } from './src/sqlite.ts';
import { line, medianMs } from './src/timing.ts';

const USERS = 5000;

const sqlite = await loadSqlite();
const database = openInMemory(sqlite);

function fill(schema: string): void {
  database.run(`CREATE TABLE ${schema}.users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)`);
  database.run(`CREATE INDEX ${schema}.by_name ON users (name)`);
  database.run('BEGIN');
  const insert = database.prepare(`INSERT INTO ${schema}.users (name) VALUES (?)`);
  for (let i = 0; i < USERS; i++) insert.run([`user ${i}`]);
  insert.free(); // a prepared statement is JavaScript's handle of memory: none may be left over
  database.run('COMMIT');
}

const value = (sql: string): unknown => database.exec(sql)[0]?.values[0]?.[0];

const filling = performance.now();
fill('app');
const filledMs = performance.now() - filling;
using fixtures = snapshot(sqlite.instance);

const tests: readonly (readonly [what: string, sql: string])[] = [
  ['inserts', "INSERT INTO app.users (name) VALUES ('new')"],
  ['deletes half', 'DELETE FROM app.users WHERE id % 2'],
  ['drops the table', 'DROP TABLE app.users'],
  ['leaves a transaction open', "BEGIN; UPDATE app.users SET name = 'lost'"],
  [
    'makes other tables, and fills them',
    'CREATE TABLE app.copy AS SELECT a.* FROM app.users a, app.users b LIMIT 200000',
  ],
];
for (const [what, sql] of tests) {
  database.run(sql);
  fixtures.restore();
  assert.equal(value('SELECT count(*) FROM app.users'), USERS, what);
  assert.equal(value("SELECT name FROM app.users WHERE name = 'user 77'"), 'user 77');
  assert.equal(value('SELECT count(*) FROM app.sqlite_master'), 2);
  fixtures.restore();
}
assert.equal(value('PRAGMA app.integrity_check'), 'ok');
console.log(`${tests.length} tests undone, the database is sound`);

const write = (): void => {
  database.run("INSERT INTO app.users (name) VALUES ('new')");
};
line(
  `a test that inserts, restored (${fixtures.method})`,
  await medianMs(300, () => (write(), fixtures.restore())),
);
line('the insert alone', await medianMs(300, write));
line(`making the fixtures again: ${USERS} users`, filledMs);
const file = database.export();
line('loading a copy of the file', await medianMs(20, () => new sqlite.SQL.Database(file).close()));
