/**
 * Putting a large working set back: a memory of 64 MiB that is an image from end to end, and 40 pages of it written to.
 *
 * "Read" means that the guest has read every page once, so that the page tables name all 16,384 of them. A scan passes
 * every one of them again each time; a drop takes them out the first time.
 */
import { describeMemory, MemoryPool } from '@guardstripe/memory-pool';
import { createView, detachView } from '@guardstripe/mmap';
import type { CProgram } from '../support/c-program.ts';
import {
  inProcess,
  measure,
  type Contender,
  type Measurement,
  type MeasureOptions,
} from '../support/measure.ts';
import { duration, printTable, times } from '../support/table.ts';
import { imageContents, PAGE, WASM_PAGE } from '../support/wasm-module.ts';

const BYTES = 64 * 2 ** 20;
const NUM_PAGES = BYTES / PAGE;
const NUM_DIRTY = 40;

export interface RestoreResult {
  readonly copied: Measurement;
  /** The same, named as in the first column of the table. */
  readonly untouched: readonly Measurement[];
  readonly read: readonly Measurement[];
}

export async function restore(
  c: CProgram | undefined,
  scan: boolean,
  options: MeasureOptions,
): Promise<RestoreResult> {
  const contents = imageContents(BYTES);
  const pages = Array.from({ length: NUM_DIRTY }, (_, i) => Math.floor(((i + 0.5) * NUM_PAGES) / NUM_DIRTY));
  const untouched = await guests(c, scan, contents, pages, false, options);
  const read = await guests(c, scan, contents, pages, true, options);
  const copied = untouched.find(({ name }) => name === COPY);
  if (copied === undefined) throw new Error('The copy was not measured');
  return { copied, untouched, read };
}

const COPY = 'Buffer.copy of all 64 MiB';

async function guests(
  c: CProgram | undefined,
  scan: boolean,
  contents: Uint8Array,
  pages: readonly number[],
  read: boolean,
  options: MeasureOptions,
): Promise<readonly Measurement[]> {
  // One process each: a drop empties the page tables that a scan should find full.
  const cModes = scan ? (['drop', 'scan'] as const) : (['drop'] as const);
  const cProcesses = cModes.flatMap((mode) => {
    const started = c?.start(BYTES, BYTES);
    return started === undefined ? [] : [{ mode, started }];
  });
  if (read) for (const { started } of cProcesses) await started.run('touch', 1);
  using module = describeMemory({ initial: BYTES / WASM_PAGE, contents });
  const opened = [
    openGuest(module, pages, read, false),
    ...(scan ? [openGuest(module, pages, read, true)] : []),
  ];
  const measurements = await measure(
    [
      ...cProcesses.map(({ mode, started }) => started.contender(`C: ${mode}`, mode, pages)),
      ...opened.map(({ contender }) => contender),
      copy(contents, pages),
    ],
    options,
  );
  for (const { started } of cProcesses) started.end();
  for (const { end } of opened) end();
  return measurements;
}

function openGuest(
  module: ReturnType<typeof describeMemory>,
  pages: readonly number[],
  read: boolean,
  scan: boolean,
): { contender: Contender; end: () => void } {
  const pool = MemoryPool.create({
    totalMemories: 3,
    maxMemorySize: BYTES,
    memoryProtectionKeys: 'disable',
    linearMemoryKeepResident: scan ? BYTES : 0,
    pagemapScan: scan ? 'enable' : 'disable',
  });
  const store = pool.openStore();
  const request = { module };
  const first = store.allocate(request);
  const view = createView(first.address, BYTES);
  const guest = new Uint8Array(view);
  first.free();
  let sum = 0;
  if (read) for (let page = 0; page < NUM_PAGES; page++) sum += guest[page * PAGE] ?? 0;
  const contender = inProcess(`pool: ${scan ? 'scan' : 'drop'}`, (iterations) => {
    for (let i = 0; i < iterations; i++) {
      const memory = store.allocate(request);
      for (const page of pages) guest[page * PAGE] = i + sum;
      memory.free();
    }
  });
  const end = () => {
    detachView(view);
    pool.close();
  };
  return { contender, end };
}

/** What restoring is without a pool: into a buffer that is there already, with all its pages. */
function copy(contents: Uint8Array, pages: readonly number[]): Contender {
  const source = Buffer.from(contents.buffer);
  const target = Buffer.from(contents);
  return inProcess(COPY, (iterations) => {
    for (let i = 0; i < iterations; i++) {
      for (const page of pages) target[page * PAGE] = i;
      source.copy(target);
    }
  });
}

export function printRestore({ copied, untouched, read }: RestoreResult): void {
  printTable(
    `Restoring an image of 64 MiB with ${NUM_DIRTY} pages written to: allocate, write, free`,
    ['', 'others never read', 'against the copy', 'all pages read once', 'against the copy'],
    untouched.map((measurement, i) => {
      const after = read[i]?.medianNs ?? Number.NaN;
      return [
        measurement.name,
        duration(measurement.medianNs),
        times(copied.medianNs / measurement.medianNs),
        duration(after),
        times(copied.medianNs / after),
      ];
    }),
  );
}
