/**
 * How much address space a memory takes with 0 to 15 keys, and how many fit into a process: by the layout, and reserved
 * for real.
 */
import { calculate, slabConstraints } from '@guardstripe/layout';
import { Mmap, SystemError } from '@guardstripe/mmap';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { HoldResult } from '../pool/hold-child.ts';
import { printTable } from '../support/table.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;

/** What compiled code usually relies on; small enough memories that fifteen share one reservation. */
const SETTINGS = { maxMemorySize: 256 * MIB, memoryReservation: 4 * GIB, memoryGuardSize: 32 * MIB };
/** What a process on Linux x86-64 has, and four levels of page tables can map. */
const ADDRESS_SPACE_BYTES = 2 ** 47;
const KEYS = [0, 2, 3, 4, 8, 12, 15];
const FEWEST_SLOTS = 32;
const MORE_SLOTS_THAN_FIT = 1_000_000;

/** Memories with so many keys. */
export interface AddressSpaceRow {
  readonly numKeys: number;
  readonly bytesPerMemory: number;
  /** That 47 bits hold, if nothing else were there. */
  readonly computed: number;
  /** In the largest slab that this process could reserve. */
  readonly inOneSlab: number;
  /** In all slabs that it could reserve at once, one after the other. */
  readonly inAllSlabs: number;
}

export interface AddressSpaceResult {
  readonly settings: typeof SETTINGS;
  readonly rows: readonly AddressSpaceRow[];
  /** `new WebAssembly.Memory` until it fails, in a process of its own. */
  readonly webAssembly:
    { readonly held: number; readonly addressSpaceBytes: number; readonly error: string } | undefined;
}

export function addressSpace(withWebAssembly: boolean): AddressSpaceResult {
  const rows = KEYS.map((numKeys) => row(numKeys));
  return { settings: SETTINGS, rows, webAssembly: withWebAssembly ? holdMemories() : undefined };
}

function layoutOf(numKeys: number, totalMemories: number) {
  return calculate(slabConstraints({ ...SETTINGS, totalMemories }, SETTINGS, numKeys));
}

function row(numKeys: number): AddressSpaceRow {
  const computed = most(1, MORE_SLOTS_THAN_FIT, (slots) => {
    return layoutOf(numKeys, slots).totalSlabBytes <= ADDRESS_SPACE_BYTES;
  });
  const inOneSlab = most(0, computed + 1, (slots) => {
    const slab = reserve(numKeys, slots);
    slab?.close();
    return slab !== undefined;
  });
  return {
    numKeys,
    bytesPerMemory: layoutOf(numKeys, 1000).slotBytes,
    computed,
    inOneSlab,
    inAllSlabs: fill(numKeys, inOneSlab),
  };
}

/** The largest number that `holds`, which 'least' does and `tooMany` does not. */
function most(least: number, tooMany: number, holds: (n: number) => boolean): number {
  let [low, high] = [least, tooMany];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

function reserve(numKeys: number, slots: number): Mmap | undefined {
  try {
    return Mmap.reserve(layoutOf(numKeys, slots).totalSlabBytes);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return undefined;
  }
}

/** Reserves slabs, each as large as can be had, until not even a small one fits. */
function fill(numKeys: number, inOneSlab: number): number {
  const slabs: Mmap[] = [];
  let held = 0;
  for (let slots = inOneSlab; slots >= FEWEST_SLOTS;) {
    const slab = reserve(numKeys, slots);
    if (slab !== undefined) {
      slabs.push(slab);
      held += slots;
    } else {
      slots = Math.floor(slots * 0.9);
    }
  }
  for (const slab of slabs) slab.close();
  return held;
}

function holdMemories(): AddressSpaceResult['webAssembly'] {
  const child = fileURLToPath(new URL('../pool/hold-child.ts', import.meta.url));
  const { stdout, signal, status } = spawnSync(process.execPath, [child, 'memory'], { encoding: 'utf8' });
  const lines = stdout
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Partial<HoldResult>);
  const last = Object.assign({}, ...lines) as HoldResult;
  return {
    held: last.held,
    addressSpaceBytes: last.addressSpaceBytes,
    error: last.error ?? `the process died, ${signal ?? status}`,
  };
}

export function printAddressSpace({ rows, webAssembly }: AddressSpaceResult): void {
  printTable(
    'Memories of up to 256 MiB, each with a reservation of 4 GiB and a guard of 32 MiB, in one process',
    ['keys', 'each', 'computed, 128 TiB', 'reserved, one slab', 'reserved, all slabs', 'against no keys'],
    rows.map(({ numKeys, bytesPerMemory, computed, inOneSlab, inAllSlabs }) => [
      String(numKeys),
      `${(bytesPerMemory / MIB).toFixed(0)} MiB`,
      computed.toLocaleString('en'),
      inOneSlab.toLocaleString('en'),
      inAllSlabs.toLocaleString('en'),
      `${(computed / rows[0]!.computed).toFixed(1)}x`,
    ]),
  );
  if (webAssembly === undefined) return;
  const { held, addressSpaceBytes, error } = webAssembly;
  console.log(
    `\nnew WebAssembly.Memory: ${held.toLocaleString('en')} in ${(addressSpaceBytes / TIB).toFixed(1)} TiB, ` +
      `${(addressSpaceBytes / held / GIB).toFixed(1)} GiB each; then ${error.split('\n')[0]}`,
  );
}
