/** A module's memories, ready to be allocated. */
import { checkInteger, invalidArgType, showAs } from '@guardstripe/common';
import { host } from '@guardstripe/mmap';
import {
  ModuleClosedError,
  ModuleNotPoolableError,
  ModuleNotSharedError,
  PoolCorruptedError,
} from '../errors.js';
import type { ModuleOrigin } from './content.js';
import { handleOf, type ModuleHandle } from './handle.js';
import { takeId } from './ids.js';
import type { ImageFile } from './image.js';
import type { MemoryTemplate } from './template.js';

/** Where a memory's first bytes come from. */
export type Initialization =
  /** Zeros only. */
  | 'zeros'
  /** A copy-on-write image, of the data segments or of what was described. Where the kernel has no memory files, it is written. */
  | 'image'
  /** The data segments are written at each allocation: they are too far apart for an image, or end inside the last page. */
  | 'copy'
  /** A segment's offset is known only to the instance: the guest writes its data itself, onto zeros. */
  | 'guest';

/** One memory of a module, as its type and its data segments say. Sizes in pages are of `pageBytes` bytes. */
export interface ModuleMemory {
  /** Index among all the module's memories, imported ones first. */
  readonly index: number;
  readonly kind: 'defined' | 'imported';
  readonly shared: boolean;
  readonly address: 'i32' | 'i64';
  /** 65,536, or 1 with custom page sizes. */
  readonly pageBytes: number;
  /** Minimum size in pages. */
  readonly initialPages: bigint;
  /** Maximum size in pages, if there is one. */
  readonly maximumPages: bigint | undefined;
  readonly initialization: Initialization;
  /** Where the image lies in the memory, in bytes, whole host pages. */
  readonly image: { readonly offsetBytes: number; readonly byteLength: number } | undefined;
  /** Why no pool can hold the memory; `undefined` if one can. */
  readonly obstacle: string | undefined;
}

/** Whether it is a module, and nothing that only has one for its prototype or stands before one. */
export let isModule: (value: unknown) => value is PoolModule;
/** Whether `by` was the last to let a module in; no for what is no module. Each allocation asks, and a field answers faster than a set. */
export let isAdmitted: (module: unknown, by: object) => boolean;
/** Notes who let a module in. */
export let noteAdmission: (module: PoolModule, by: object) => void;

/** An id for a module about to be made. */
export function takeModuleId(): number {
  return takeId('module') - 1;
}

/**
 * A module's memories, ready to be allocated. Owns the sealed memory file of its images, which is made at the first
 * allocation: close it when no new memory of it is wanted. Memories that live on are not affected.
 */
export class PoolModule implements Disposable {
  /** Unique in the process; the module half of the affinity key. */
  readonly id: number;
  /** All memories of the module, by index. */
  readonly memories: readonly ModuleMemory[];
  /** How many memories the module defines itself. */
  readonly numDefinedMemories: number;
  /** The index of the first memory that the module defines itself, if any: the one meant where none is named. */
  readonly firstDefinedMemory: number | undefined;
  /** By the memory's index; none, no pool. */
  #templates: readonly (MemoryTemplate | undefined)[];
  /**
   * What it was made of; nothing for a snapshot's.
   *
   * @internal
   */
  readonly origin: ModuleOrigin | undefined;
  readonly #file: ImageFile | undefined;
  #closed = false;
  #admittedBy: object | undefined;

  static {
    isModule = (value): value is PoolModule =>
      typeof value === 'object' && value !== null && #admittedBy in value;
    isAdmitted = (module, by) => isModule(module) && module.#admittedBy === by;
    noteAdmission = (module, by) => {
      module.#admittedBy = by;
    };
    showAs(this.prototype, ({ id, numDefinedMemories, closed }) => {
      const memories = `${numDefinedMemories} ${numDefinedMemories === 1 ? 'memory' : 'memories'}`;
      return `PoolModule { ${memories} of its own, id ${id}${closed ? ', closed' : ''} }`;
    });
  }

  /** @internal Modules come from {@link describeModule} and {@link describeMemory}. */
  constructor(
    id: number,
    memories: readonly ModuleMemory[],
    templates: readonly (MemoryTemplate | undefined)[],
    file: ImageFile | undefined,
    origin?: ModuleOrigin,
  ) {
    if (memories.length !== templates.length) {
      throw new PoolCorruptedError(
        `a module of ${memories.length} memories has ${templates.length} templates`,
      );
    }
    this.id = id;
    this.memories = memories;
    const defined = this.memories.filter((memory) => memory.kind === 'defined');
    this.numDefinedMemories = defined.length;
    this.firstDefinedMemory = defined[0]?.index;
    this.#templates = templates;
    this.#file = file;
    this.origin = origin;
  }

  /** Whether the module was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * What {@link openModule} takes in another thread of this process, so that nothing is parsed or copied there. Good as long as this
   * module is open, or that of a thread that has opened it.
   *
   * @throws {@link ModuleClosedError}; {@link ModuleNotSharedError} for a snapshot's; `SystemError` if the images' memory file cannot be
   * made
   */
  get handle(): ModuleHandle {
    if (this.#closed) throw new ModuleClosedError('give its handle');
    if (this.origin === undefined) throw new ModuleNotSharedError();
    return handleOf(this.origin);
  }

  /**
   * What a pool makes the memory of. The first one with an image makes the module's memory file.
   *
   * @internal
   * @throws {@link ModuleClosedError}, {@link ModuleNotPoolableError}; a `SystemError` if the file cannot be made
   */
  template(memoryIndex: number | undefined): MemoryTemplate {
    if (this.#closed) throw new ModuleClosedError('allocate a memory');
    const index = memoryIndex === undefined ? this.firstDefinedMemory : memoryIndex;
    if (index === undefined) throw new ModuleNotPoolableError('defines no memory');
    // Before it is used as an index: '0' would find the first.
    if (typeof index !== 'number') throw invalidArgType('options.memoryIndex', 'of type number', index);
    if (this.#templates[index]?.image !== undefined && this.#file?.contents !== undefined) this.#makeFile();
    const template = this.#templates[index];
    if (template !== undefined) return template;
    checkInteger(index, 'options.memoryIndex');
    const obstacle =
      this.memories[index]?.obstacle ?? `does not exist: it has ${this.memories.length} memories`;
    throw new ModuleNotPoolableError(obstacle, index);
  }

  /**
   * Closes the images' file. Live memories keep their image until they are freed; free slots that keep it for the module let go of
   * it, in time in proportion to them, and become anybody's. Closing again does nothing.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#file?.close();
  }

  /** The same as {@link PoolModule.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #makeFile(): void {
    if (host().features.memfd) this.#file?.make();
    else this.#templates = this.#templates.map((template) => template && withoutImage(template));
  }
}

/** The same memory for a kernel without memory files: its image is written instead of mapped. */
function withoutImage(template: MemoryTemplate): MemoryTemplate {
  const { image } = template;
  const data = image?.unmadeBytes;
  if (image === undefined || data === undefined) return template;
  return { ...template, image: undefined, writes: [{ offset: image.offsetBytes, data }] };
}
