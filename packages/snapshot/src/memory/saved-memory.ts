/**
 * The bytes of one memory as a snapshot has them: what is not zero, once, in a sealed memory file where there are such files.
 * The file is mapped read-only to copy from, and copy-on-write over the pages of forks.
 *
 * ```
 *   memory:   |  run 0  |  zeros  |    run 1    |  zeros ...      only runs are saved
 *   file:     |  run 0  |    run 1    |                           no holes: reading one would allocate a page
 * ```
 */
import { memoryImage, Mmap, type MemoryImage, type VirtualMemory } from '@guardstripe/mmap';

import { WeakList } from '../weak-list.js';
import { compact, findContents, SMALLEST_PAGE_BYTES, type Contents, type PageRun } from './pages.js';

/** A run of {@link SavedMemory}, and where it is in the file. */
export interface FileRun extends PageRun {
  readonly fileOffset: number;
  readonly bytes: Uint8Array;
  /** Whether forks map it. Others are copied into them. */
  readonly isMapped: boolean;
}

/** Most runs that a fork maps: each is a mapping of its own, and a process may have some 65,000. */
const MAX_MAPPED_RUNS = 64;

/** Most pages of a new instance, and runs of them, that are written and not mapped over: more of that costs more than it spares. */
export const MAX_OWN = { bytes: 16 * SMALLEST_PAGE_BYTES, runs: 4 };

/** Whoever compares a memory with the bytes. */
export interface SavedMemoryUser {
  /** The bytes go. */
  forget(saved: SavedMemory): void;
}

/** Owns the file and its mapping until it is closed. */
export class SavedMemory implements Contents {
  readonly byteLength: number;
  readonly pageSize: number;
  readonly bytes: Uint8Array;
  #runs: readonly FileRun[];
  #isLaidOut = false;
  readonly #users = new WeakList<SavedMemoryUser>();
  readonly #image: MemoryImage | undefined;
  readonly #map: Mmap | undefined;

  /** Saves what a memory holds. Without `virtualMemory`, or where there are no memory files, in an ordinary buffer. */
  constructor(memoryBytes: Uint8Array, virtualMemory: VirtualMemory | undefined) {
    this.byteLength = memoryBytes.byteLength;
    this.pageSize = virtualMemory?.pageSize ?? SMALLEST_PAGE_BYTES;
    const runs = findContents(memoryBytes, this.pageSize);
    const bytes = compact(memoryBytes, runs);
    const file = virtualMemory === undefined ? undefined : toFile(bytes, virtualMemory);
    this.#image = file?.image;
    this.#map = file?.map;
    this.bytes = file?.bytes ?? bytes;
    const largest = runs.toSorted((left, right) => right.byteLength - left.byteLength);
    const mapped = new Set(file === undefined ? [] : largest.slice(0, MAX_MAPPED_RUNS));
    let fileOffset = 0;
    this.#runs = runs.map((run) => {
      const at = fileOffset;
      fileOffset += run.byteLength;
      const bytesOfRun = this.bytes.subarray(at, fileOffset);
      return { ...run, fileOffset: at, bytes: bytesOfRun, isMapped: mapped.has(run) };
    });
  }

  get runs(): readonly FileRun[] {
    return this.#runs;
  }

  /** Most mappings that a memory takes with this laid over it: the runs, and what is left between them. */
  get maxMappings(): number {
    return 2 * this.#runs.filter(({ isMapped }) => isMapped).length;
  }

  /** Whether it is settled what is mapped: the same wherever this is laid. */
  get isLaidOut(): boolean {
    return this.#isLaidOut;
  }

  /**
   * Settles it, before this is laid for the first time. Later calls change nothing.
   *
   * @param own - pages that a new instance has of its own, as ascending runs: its module's data was written to them. Where they are few,
   *   they are not mapped over but written: to take pages away that are there, the kernel interrupts all processors that run a thread of
   *   this process, which costs more
   */
  layOut(own: readonly PageRun[]): void {
    if (this.#isLaidOut) return;
    this.#isLaidOut = true;
    const ownBytes = own.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (own.length > MAX_OWN.runs || ownBytes > MAX_OWN.bytes) return;
    for (const piece of own)
      this.#runs = this.#runs.flatMap((run) => (run.isMapped ? splitRun(run, piece) : run));
  }

  /** The file's descriptor; nothing where the bytes are in an ordinary buffer. */
  get fd(): number | undefined {
    return this.#image?.fd;
  }

  /** Whether there is anything to lay: a file, or nothing but zeros. */
  get isLayable(): boolean {
    return this.#image !== undefined || this.runs.length === 0;
  }

  /**
   * Has somebody told when the bytes go; as long as it lives, and once. Not needed by a fork that nobody has taken back yet: it has nothing
   * of the bytes but its mappings, which stay.
   */
  addUser(user: SavedMemoryUser): void {
    this.#users.add(user);
  }

  /** Gives file and mapping back. Pages of forks that are mapped to the file keep it for as long as they live. */
  close(): void {
    try {
      for (const user of this.#users.living()) user.forget(this);
    } finally {
      try {
        this.#image?.close();
      } finally {
        this.#map?.close();
      }
    }
  }
}

/** A run in up to three: what lies before a piece, what of it is in the piece and not to be mapped, and what lies behind. */
function splitRun(run: FileRun, piece: PageRun): FileRun[] {
  const end = run.byteLength;
  const from = Math.min(Math.max(piece.offset - run.offset, 0), end);
  const to = Math.min(Math.max(piece.offset + piece.byteLength - run.offset, from), end);
  const part = (start: number, stop: number, isMapped: boolean): FileRun[] => {
    if (start === stop) return [];
    const { offset, fileOffset, bytes } = run;
    return [
      {
        offset: offset + start,
        byteLength: stop - start,
        fileOffset: fileOffset + start,
        bytes: bytes.subarray(start, stop),
        isMapped,
      },
    ];
  };
  return [...part(0, from, true), ...part(from, to, false), ...part(to, end, true)];
}

function toFile(
  bytes: Uint8Array,
  virtualMemory: VirtualMemory,
): { readonly image: MemoryImage; readonly map: Mmap; readonly bytes: Uint8Array } | undefined {
  // An empty file cannot be mapped, and a memory whose pages are not the system's cannot be laid.
  if (bytes.byteLength === 0 || bytes.byteLength % virtualMemory.pageSize !== 0) return undefined;
  let image: MemoryImage | undefined;
  try {
    image = memoryImage(bytes, { name: 'guardstripe-snapshot', virtualMemory });
    const map = Mmap.fromFile(image.fd, { access: 'read', sharing: 'shared', virtualMemory });
    return { image, map, bytes: new Uint8Array(map.view()) };
  } catch {
    // No memory files, no descriptor or no memory for one: the copy that is there already serves.
    tryToClose(image);
    return undefined;
  }
}

function tryToClose(image: MemoryImage | undefined): void {
  try {
    image?.close();
  } catch {
    // The number is free all the same, see close(2).
  }
}
