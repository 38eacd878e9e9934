/** A module of a live memory's contents. */
import { host, memoryImage, type PageRange, type VirtualMemory } from '@guardstripe/mmap';
import { IMAGE_NAME, ImageFile, type ImagePart, type PoolImage } from './image.js';
import { PoolModule, takeModuleId, type Initialization, type ModuleMemory } from './module.js';
import { eachChunk, planSnapshot, type Stretch } from './snapshot-plan.js';
import type { MemoryTemplate } from './template.js';
import type { InitialBytes } from '../wasm/index.js';

/** A live memory, at rest. */
export interface SnapshotSource {
  /** What it began as. */
  readonly template: MemoryTemplate;
  readonly byteLength: number;
  /** Pages that may differ from its image, and from zeros; nothing where that cannot be known. */
  readonly changed: readonly PageRange[] | undefined;
  readonly read: (offset: number, target: Uint8Array) => void;
  readonly virtualMemory: VirtualMemory;
}

/** Makes the module, with its file. @throws `SystemError` */
export function snapshotModule(source: SnapshotSource): PoolModule {
  const { template, byteLength, changed, virtualMemory } = source;
  const pageBytes = virtualMemory.pageSize;
  const whole = Math.floor(byteLength / pageBytes) * pageBytes;
  // Where the image's bytes cannot be had, nothing can be shared with it, and nothing is known to be unchanged.
  const isKnown = changed !== undefined && template.image?.toRestore !== undefined;
  const scene = {
    parts: isKnown ? template.image.parts : [],
    readPart: ({ file, fileOffset }: ImagePart, offset: number, target: Uint8Array) =>
      file.pages!.readInto(target, fileOffset + offset),
    changed:
      changed === undefined || (template.image !== undefined && !isKnown)
        ? [{ offset: 0, byteLength: whole }]
        : changed,
    byteLength: whole,
    pageBytes,
    read: source.read,
  };
  const stretches = planSnapshot(scene);
  const key = { moduleId: takeModuleId(), memoryIndex: 0 };
  // Bytes behind the last whole page: with pages of one byte a memory may end there, and no image may reach further.
  const writes = bytesOf(source, [{ from: 'copy', start: whole, end: byteLength }]);
  if (!host().features.memfd) {
    const copied = bytesOf(
      source,
      stretches.filter(({ from }) => from !== 'zeros'),
    );
    return moduleOf(
      source,
      { ...template, key, image: undefined, writes: [...copied, ...writes] },
      undefined,
    );
  }
  const file = fileOf(source, stretches, scene.parts);
  const image = file && imageOf(file, key, stretches, scene.parts);
  return moduleOf(source, { ...template, key, image, writes }, file);
}

/** The file of what is copied, which keeps those of what is shared; nothing for a memory of zeros. */
function fileOf(
  { read, virtualMemory }: SnapshotSource,
  stretches: readonly Stretch[],
  parts: readonly ImagePart[],
): ImageFile | undefined {
  const copied = stretches.filter(({ from }) => from === 'copy');
  const shared = stretches.flatMap(({ from }) => (typeof from === 'number' ? [parts[from]!.file] : []));
  if (copied.length === 0 && shared.length === 0) return undefined;
  const byteLength = copied.reduce((sum, { start, end }) => sum + end - start, 0);
  const fill = (write: (bytes: Uint8Array, position: number) => void) => {
    let position = 0;
    for (const { start, end } of copied) {
      eachChunk({ read }, start, end, (bytes) => {
        write(bytes, position);
        position += bytes.byteLength;
      });
    }
  };
  const contents =
    byteLength === 0 ? undefined : memoryImage({ byteLength, fill }, { name: IMAGE_NAME, virtualMemory });
  return new ImageFile(contents, virtualMemory, [...new Set(shared)]);
}

function imageOf(
  file: ImageFile,
  key: MemoryTemplate['key'],
  stretches: readonly Stretch[],
  parts: readonly ImagePart[],
): PoolImage {
  const made: ImagePart[] = [];
  let position = 0;
  for (const { from, start, end } of stretches) {
    if (from === 'zeros') continue;
    const byteLength = end - start;
    if (from === 'copy') {
      made.push({ file, fileOffset: position, offsetBytes: start, byteLength });
      position += byteLength;
    } else {
      const part = parts[from]!;
      const fileOffset = part.fileOffset + start - part.offsetBytes;
      made.push({ file: part.file, fileOffset, offsetBytes: start, byteLength });
    }
  }
  return file.addParts(key, made);
}

/** Copies of stretches, without those that are all zeros. */
function bytesOf({ read }: SnapshotSource, stretches: readonly Stretch[]): InitialBytes[] {
  return stretches
    .map(({ start, end }) => {
      const data = new Uint8Array(end - start);
      if (end > start) read(start, data);
      return { offset: start, data };
    })
    .filter(({ data }) => data.some((byte) => byte !== 0));
}

function moduleOf(
  { byteLength }: SnapshotSource,
  began: MemoryTemplate,
  file: ImageFile | undefined,
): PoolModule {
  const { image, writes, pageBytes, maximumBytes, address } = began;
  const initialization: Initialization =
    image === undefined ? (writes.length === 0 ? 'zeros' : 'copy') : 'image';
  const memory: ModuleMemory = {
    index: 0,
    kind: 'defined',
    shared: false,
    address,
    pageBytes,
    initialPages: BigInt(byteLength / pageBytes),
    maximumPages: BigInt(Math.floor(maximumBytes / pageBytes)),
    initialization,
    image: image && { offsetBytes: image.offsetBytes, byteLength: image.byteLength },
    obstacle: undefined,
  };
  const template: MemoryTemplate = { ...began, initialBytes: byteLength };
  return new PoolModule(began.key.moduleId, [memory], [template], file);
}
