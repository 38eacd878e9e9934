/** A worker's ledger says what the kernel says: a stand-in for the kernel, which may refuse, against the entries. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { SystemError, type VirtualMemory } from '../../src/index.js';
import { KIND_DESCRIPTOR, Ledger } from '../../src/process/ledger.js';
import { keepForGood, owned } from '../../src/process/owned.js';

const PAGE = 4096;

/** Address ranges and descriptors, page by page. */
class Kernel {
  readonly pages = new Set<number>();
  readonly files = new Set<number>();
  refuses = false;
  #next = 16 * PAGE;
  #nextFile = 20;

  readonly calls = {
    pageSize: PAGE,
    reserve: (byteLength: number) => this.#map(byteLength),
    mapHugePages: (byteLength: number) => this.#map(byteLength),
    mapFile: (_fd: number, _offset: number, address: number, byteLength: number) =>
      address === 0 ? this.#map(byteLength) : address,
    moveLeavingRange: (_address: number, byteLength: number) => this.#map(byteLength),
    unmap: (address: number, byteLength: number) => {
      this.#refuse();
      this.#each(address, byteLength, (page) => this.pages.delete(page));
    },
    resize: (address: number, byteLength: number, newByteLength: number) => {
      this.#refuse();
      this.#each(address, byteLength, (page) => this.pages.delete(page));
      if (newByteLength > byteLength) return this.#map(newByteLength);
      this.#each(address, newByteLength, (page) => this.pages.add(page));
      return address;
    },
    duplicateFile: () => {
      this.#refuse();
      this.files.add(++this.#nextFile);
      return this.#nextFile;
    },
    closeFile: (fd: number) => {
      this.files.delete(fd);
      this.#refuse();
    },
  };

  #map(byteLength: number): number {
    this.#refuse();
    const address = this.#next;
    // Apart, so that no range is taken for a part of its neighbour.
    this.#next += byteLength + PAGE;
    this.#each(address, byteLength, (page) => this.pages.add(page));
    return address;
  }

  #each(address: number, byteLength: number, use: (page: number) => void): void {
    for (let at = address; at < address + byteLength; at += PAGE) use(at);
  }

  #refuse(): void {
    if (this.refuses) throw new SystemError(12, { syscall: 'any' });
  }
}

function writtenIn(ledger: Ledger): { pages: Set<number>; files: Set<number> } {
  const pages = new Set<number>();
  const files = new Set<number>();
  ledger.settle((kind, what, howMuch) => {
    if (kind === KIND_DESCRIPTOR) files.add(what - 1);
    else for (let at = what; at < what + howMuch; at += PAGE) pages.add(at);
    return false;
  });
  return { pages, files };
}

const step = fc.record({
  kind: fc.constantFrom('reserve', 'file', 'move', 'cut', 'close', 'resize', 'open', 'close-file', 'keep'),
  which: fc.nat(50),
  pages: fc.integer({ min: 1, max: 6 }),
  from: fc.nat(5),
  refuses: fc.boolean(),
});

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** One step; what the kernel refuses is refused to the caller, too. */
function take(vm: VirtualMemory, kernel: Kernel, kept: Set<number>, each: Step): void {
  const { kind, which, pages, from } = each;
  const starts = [...kernel.pages].filter((page) => !kernel.pages.has(page - PAGE) && !kept.has(page));
  const start = starts[which % Math.max(starts.length, 1)];
  const files = [...kernel.files];
  const file = files[which % Math.max(files.length, 1)];
  if (kind === 'reserve') vm.reserve(pages * PAGE);
  else if (kind === 'file') vm.mapFile(3, 0, 0, pages * PAGE, 'read', 'private');
  else if (kind === 'open') vm.duplicateFile(3);
  else if (kind === 'close-file' && file !== undefined) vm.closeFile(file);
  if (start === undefined) return;
  let end = start;
  while (kernel.pages.has(end) && !kept.has(end)) end += PAGE;
  const address = Math.min(start + from * PAGE, end - PAGE);
  const byteLength = Math.min(pages * PAGE, end - address);
  if (kind === 'cut') vm.unmap(address, byteLength);
  else if (kind === 'close') vm.unmap(start, end - start);
  else if (kind === 'move') vm.moveLeavingRange(start, end - start);
  else if (kind === 'resize') vm.resize(start, end - start, pages * PAGE);
  else if (kind === 'keep') {
    keepForGood(vm, address, byteLength);
    for (let at = address; at < address + byteLength; at += PAGE) kept.add(at);
  }
}

describe('what a worker takes', () => {
  it('is written down, whole and nothing else, whatever it does in whatever order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const kernel = new Kernel();
        const ledger = new Ledger(new ArrayBuffer(2 ** 16));
        const vm = owned(kernel.calls as unknown as VirtualMemory, ledger);
        const kept = new Set<number>();
        for (const each of steps) {
          kernel.refuses = each.refuses;
          try {
            take(vm, kernel, kept, each);
          } catch (error) {
            expect(error).toBeInstanceOf(SystemError);
          }
          const { pages, files } = writtenIn(ledger);
          expect(pages).toEqual(new Set([...kernel.pages].filter((page) => !kept.has(page))));
          expect(files).toEqual(kernel.files);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('and cannot be written down any more is taken and given back all the same', () => {
    const kernel = new Kernel();
    const ledger = new Ledger(new ArrayBuffer((6 + 3 * 2) * 8));
    const vm = owned(kernel.calls as unknown as VirtualMemory, ledger);
    const addresses = [1, 2, 3, 4].map((pages) => vm.reserve(pages * PAGE));
    expect(writtenIn(ledger).pages.size).toBe(3);
    for (const [i, address] of addresses.entries()) vm.unmap(address, (i + 1) * PAGE);
    expect(kernel.pages.size).toBe(0);
    expect(writtenIn(ledger).pages.size).toBe(0);
  });
});
