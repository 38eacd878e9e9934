/** Modules as the threads of one pool know them: the same bytes are one module, with one number, one image and one affinity. */
import { MAX_MEMORY_INDEX, type MemoryKey, type Threads } from '@guardstripe/index-allocator';
import { host, openImage, type MemoryImage } from '@guardstripe/mmap';
import {
  ModuleClosedError,
  ModuleNotSharedError,
  PoolCorruptedError,
  TooManyModulesError,
} from '../errors.js';
import { hashModule, type ModuleOrigin } from '../module/content.js';
import { templatesOf } from '../module/describe.js';
import { handleOf, type ModuleHandle } from '../module/handle.js';
import { takeModuleId, PoolModule } from '../module/module.js';
import type { MemoryTemplate } from '../module/template.js';
import { ModuleTable, type FilePlace, type KnownModule } from './module-table.js';

/** What one thread of a pool does with the table. */
export class SharedModules {
  readonly #table: ModuleTable;
  /** The modules of this thread, each with the pool's number for it. */
  readonly #known = new WeakMap<PoolModule, PoolModule>();
  /** By the keys of its memories, what a module was made of; nothing for one that was gone when a memory of it came here. */
  readonly #origins = new WeakMap<MemoryKey, ModuleOrigin | undefined>();

  private constructor(table: ModuleTable) {
    this.#table = table;
  }

  /** @param capacity - how many modules have a number at a time, 1,024 unless said otherwise */
  static create(threads: Threads, capacity?: number): SharedModules {
    return new SharedModules(ModuleTable.create(threads, capacity));
  }

  /** @throws `TypeError` `ERR_INVALID_ARG_TYPE`, {@link PoolAttachError} for what is not {@link SharedModules.buffer} of this version */
  static attach(buffer: unknown, threads: Threads): SharedModules {
    return new SharedModules(ModuleTable.attach(buffer, threads));
  }

  /** What the threads have in common. */
  get buffer(): SharedArrayBuffer {
    return this.#table.buffer;
  }

  /**
   * What the pool makes a memory of: `module.template()` with the numbers of the pool.
   *
   * @throws what {@link PoolModule.template} throws; {@link TooManyModulesError}
   */
  template(module: PoolModule, memoryIndex: number | undefined): MemoryTemplate {
    if (module.closed) throw new ModuleClosedError('allocate a memory');
    let known = this.#known.get(module);
    if (known === undefined) {
      known = this.#enter(module);
      this.#known.set(module, known);
    }
    return known.template(memoryIndex);
  }

  /**
   * What another thread opens the module of a memory with; nothing if it was closed.
   *
   * @throws {@link ModuleNotSharedError} for a snapshot's; `SystemError`
   */
  handleOf({ key }: MemoryTemplate): ModuleHandle | undefined {
    if (!this.#origins.has(key)) throw new ModuleNotSharedError();
    const origin = this.#origins.get(key);
    // Where the kernel has no memory files, the images' bytes are with the template.
    if (origin === undefined || (origin.file.byteLength > 0 && !host().features.memfd)) return undefined;
    try {
      return handleOf(origin);
    } catch (error) {
      if (error instanceof ModuleClosedError) return undefined;
      throw error;
    }
  }

  /** A memory came here whose module was gone. */
  noteGone(key: MemoryKey): void {
    this.#origins.set(key, undefined);
  }

  /** The pool's number for a module; the module's own as long as this thread has allocated none of it. */
  idOf(module: PoolModule): number {
    return (this.#known.get(module) ?? module).id;
  }

  #enter(module: PoolModule): PoolModule {
    const { origin } = module;
    // A snapshot's: its number is the process's anyway, and no other thread has the same.
    if (origin === undefined) return module;
    const { id } = this.#agree(origin);
    const imageIdOf = (memoryIndex: number) => imageIdIn(id, memoryIndex);
    const templates = templatesOf(id, origin, module.memories, imageIdOf);
    for (const template of templates) if (template !== undefined) this.#origins.set(template.key, origin);
    return new PoolModule(id, module.memories, templates, origin.file);
  }

  /** Finds the module's number, and leaves it with the memory file that all use. */
  #agree(origin: ModuleOrigin): KnownModule {
    const claimed = this.#findClaimed(origin);
    if (claimed !== undefined) return claimed;
    const { file } = origin;
    const hash = hashModule(origin, file.contentHash);
    if (file.byteLength === 0 || !host().features.memfd) return this.#put(hash, undefined);
    let known = this.#table.find(hash);
    if (known?.file !== undefined && use(origin, known.file)) return known;
    const gone = known?.file;
    known = this.#put(hash, file.share(), gone);
    // Another thread was faster: one file is enough, as long as nobody has mapped the other.
    if (known.file !== undefined) use(origin, known.file);
    return known;
  }

  /**
   * A module that came as a handle is believed to have the bytes that the handle says if the table has the same file for them: then
   * a thread has read it. Else the bytes are read here.
   */
  #findClaimed(origin: ModuleOrigin): KnownModule | undefined {
    const { claim, file } = origin;
    if (claim === undefined || file.byteLength === 0) return undefined;
    const known = this.#table.find(hashModule(origin, claim));
    file.share();
    return known?.file !== undefined && file.isAt(known.file) ? known : undefined;
  }

  #put(hash: Uint8Array, file: FilePlace | undefined, gone?: FilePlace): KnownModule {
    const id = takeModuleId();
    try {
      return this.#table.put(hash, id, file, gone);
    } catch (error) {
      if (!(error instanceof TooManyModulesError)) throw error;
      this.#table.makeRoom(isThere);
      return this.#table.put(hash, id, file, gone);
    }
  }
}

/** Above all numbers that single images have: those of a module follow from its own, so that threads agree on them, too. */
const FIRST_IMAGE_ID = 2 ** 32;
const IMAGES_OF_MODULE = MAX_MEMORY_INDEX + 1;

/** At most 2^48. Nothing for a memory that the index allocator has no key for: none is ever allocated. */
function imageIdIn(moduleId: number, memoryIndex: number): number | undefined {
  return memoryIndex <= MAX_MEMORY_INDEX
    ? FIRST_IMAGE_ID + moduleId * IMAGES_OF_MODULE + memoryIndex
    : undefined;
}

/** Has a module's images lie in a file that is there already; `false` if it is gone. */
function use({ file }: ModuleOrigin, place: FilePlace): boolean {
  if (file.isAt(place)) return true;
  const image = tryOpen(place);
  if (image === undefined) return false;
  const { byteLength } = image;
  const isUsed = file.use(image);
  if (!isUsed) image.close();
  // The same hash, and other bytes: somebody has written over the place.
  if (byteLength !== file.byteLength)
    throw new PoolCorruptedError(`a module's file has ${byteLength} bytes, and not ${file.byteLength}`);
  return true;
}

function isThere(place: FilePlace): boolean {
  const image = tryOpen(place);
  image?.close();
  return image !== undefined;
}

function tryOpen(place: FilePlace): MemoryImage | undefined {
  try {
    return openImage(place);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_MMAP_SHARED_GONE') return undefined;
    throw error;
  }
}
