/** Holding as many live memories of 1 MiB as one process can. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { duration, printTable } from '../support/table.ts';
import type { HoldKind, HoldResult } from './hold-child.ts';

const CHILD = fileURLToPath(new URL('hold-child.ts', import.meta.url));

const TITLES: Readonly<Record<HoldKind, string>> = {
  'pool-image': 'pool, 4 GiB apart, with an image',
  'pool-zeros': 'pool, 4 GiB apart, zeros',
  'pool-close': 'pool, 1 MiB + 64 KiB apart, zeros',
  'pool-views': 'pool, 4 GiB apart, zeros, JS views',
  memory: 'new WebAssembly.Memory',
  instance: 'new WebAssembly.Instance',
};

const DIED = 'the process died';

/** How far one kind came, and what ended it. */
export interface Held extends HoldResult {
  readonly kind: HoldKind;
  readonly error: string;
}

export function hold(): readonly Held[] {
  return (Object.keys(TITLES) as HoldKind[]).map((kind) => {
    const child = spawnSync(process.execPath, [CHILD, kind], { encoding: 'utf8', maxBuffer: 2 ** 26 });
    const lines = child.stdout
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as Partial<HoldResult>);
    // Later lines overwrite what earlier ones said.
    const last = Object.assign({ kind }, ...lines) as HoldResult & { kind: HoldKind };
    const lastWords =
      child.stderr.split('\n').find((line) => /fatal|terminate|what\(\)/i.test(line)) ?? 'without a word';
    const died = `${DIED}, ${child.signal ?? child.status}: ${lastWords.trim()}`;
    return Object.assign(last, { error: last.error ?? died });
  });
}

export function printHold(results: readonly Held[]): void {
  printTable(
    'Holding live memories of 1 MiB, one page of each written to, until no more can be had',
    ['', 'held', 'each', 'resident each', 'mappings', 'address space'],
    results.map(({ kind, held, totalNs, residentBytes, mappings, addressSpaceBytes, error }) => [
      TITLES[kind],
      // What died has told of every hundredth memory, and of its mappings at every thousandth.
      `${error.startsWith(DIED) ? '>= ' : ''}${held.toLocaleString('en')}`,
      duration(totalNs / held),
      `${(residentBytes / held / 1024).toFixed(1)} KiB`,
      `${error.startsWith(DIED) ? '>= ' : ''}${mappings.toLocaleString('en')}`,
      `${(addressSpaceBytes / 2 ** 40).toFixed(1)} TiB`,
    ]),
  );
  for (const { kind, error } of results) console.log(`  ${TITLES[kind]}: ${error.split('\n')[0]}`);
}
