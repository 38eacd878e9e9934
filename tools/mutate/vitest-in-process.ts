/**
 * As much of vitest as the tests of pure packages use, without its threads: what a file declares is collected, and can be run as
 * often as there are mutants. `expect` is vitest's own.
 */
import { format } from 'node:util';

export { expect, vi } from 'vitest';

type Body = (...args: never[]) => unknown;
type Skip = { readonly skip: (reason?: string) => void };

export interface CollectedTest {
  /** File and name, with a number where there are several of that name. */
  readonly id: string;
  readonly name: string;
  readonly file: string;
  readonly run: () => Promise<void>;
}

/** All that was declared, in order. */
export const collected: CollectedTest[] = [];

const ids = new Set<string>();
let file = '';
let groups: readonly string[] = [];
let beforeEachTest: readonly Body[] = [];
let afterEachTest: readonly Body[] = [];

/** Imports a file of tests, so that what it declares is collected. */
export async function collect(path: string, url: string): Promise<void> {
  file = path;
  await import(url);
}

function declare(title: string, body: Body, args: readonly unknown[]): void {
  const name = [...groups, title].join(' > ');
  let id = `${file}#${name}`;
  for (let count = 2; ids.has(id); count++) id = `${file}#${name} (${count})`;
  ids.add(id);
  const [before, after] = [beforeEachTest, afterEachTest];
  const context: Skip = { skip: () => undefined };
  collected.push({
    id,
    name,
    file,
    async run() {
      try {
        for (const hook of before) await hook();
        await body(...([...args, context] as never[]));
      } finally {
        for (const hook of after) await hook();
      }
    },
  });
}

function group(title: string, body: Body, args: readonly unknown[]): void {
  const outer = [groups, beforeEachTest, afterEachTest] as const;
  groups = [...groups, title];
  body(...(args as never[]));
  [groups, beforeEachTest, afterEachTest] = outer;
}

/** One for each row: `$name` in the title is a field of it, `%s` and so on are its elements. */
function eachOf(declareOne: typeof declare) {
  return (rows: readonly unknown[]) =>
    (title: string, body: Body): void => {
      const areLists = rows.every((row) => Array.isArray(row));
      for (const row of rows) {
        const args = areLists ? (row as readonly unknown[]) : [row];
        const named = title.replaceAll(/\$(\w+)/g, (_, field: string) =>
          format((row as Record<string, unknown>)[field]),
        );
        const places = named.match(/%[sdifjoO]/g)?.length ?? 0;
        const shown = args.slice(0, places).map((arg) => (typeof arg === 'function' ? arg.name : arg));
        declareOne(format(named, ...shown), body, args);
      }
    };
}

export const it = Object.assign((title: string, body: Body) => declare(title, body, []), {
  each: eachOf(declare),
});
export const describe = Object.assign((title: string, body: Body) => group(title, body, []), {
  each: eachOf(group),
});
export function beforeEach(hook: Body): void {
  beforeEachTest = [...beforeEachTest, hook];
}
export function afterEach(hook: Body): void {
  afterEachTest = [...afterEachTest, hook];
}
/** Nothing ends before the process does. */
export function afterAll(): void {}
