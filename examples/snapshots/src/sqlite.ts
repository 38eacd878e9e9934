/** sql.js, with the instance that it keeps to itself: Emscripten lets whoever loads a module instantiate it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import initSqlJs, { type Database, type SqlJsStatic } from 'sql.js';

const wasm = readFileSync(createRequire(import.meta.url).resolve('sql.js/dist/sql-wasm.wasm'));

export interface LoadedSqlite {
  readonly SQL: SqlJsStatic;
  readonly instance: WebAssembly.Instance;
}

/** Loads SQLite. */
export async function loadSqlite(): Promise<LoadedSqlite> {
  let instance: WebAssembly.Instance | undefined;
  const SQL = await initSqlJs({
    instantiateWasm(imports: WebAssembly.Imports, done: (made: WebAssembly.Instance) => void) {
      instance = new WebAssembly.Instance(new WebAssembly.Module(wasm), imports);
      done(instance);
      return instance.exports;
    },
  });
  if (instance === undefined) throw new Error('sql.js was not instantiated');
  return { SQL, instance };
}

/**
 * Opens a database whose tables are in memory of SQLite's own: `new Database()` keeps its main file in JavaScript, where no
 * snapshot reaches, so everything is created in `app`.
 */
export function openInMemory({ SQL }: LoadedSqlite): Database {
  const database = new SQL.Database();
  database.run("ATTACH ':memory:' AS app");
  return database;
}
