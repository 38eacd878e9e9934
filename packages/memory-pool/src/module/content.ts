/** What a module is by its content: the same memories with the same first bytes are the same module, whoever describes them. */
import { createHash } from 'node:crypto';
import type { ImagePlan, MemoryType } from '../wasm/index.js';
import type { ImageFile } from './image.js';

/** What a module was made of. */
export interface ModuleOrigin {
  /** By the memory's index. */
  readonly types: readonly MemoryType[];
  readonly plans: readonly ImagePlan[];
  /** Of all images; empty where there are none. */
  readonly file: ImageFile;
  /** What the handle that it came as says is the SHA-256 of its images: true if somebody who has read them says so, too. */
  readonly claim?: Uint8Array | undefined;
}

/** SHA-256 of everything that decides what its memories start as. */
export function hashModule({ types, plans }: ModuleOrigin, contentHash: Uint8Array): Uint8Array {
  const hash = createHash('sha256');
  const pieces: Uint8Array[] = [];
  // Lengths stand in the text, so what is behind it can be read in one way only.
  hash.update(
    JSON.stringify([types, plans], (_, value: unknown) => {
      if (typeof value === 'bigint') return `${value}n`;
      if (!(value instanceof Uint8Array)) return value;
      pieces.push(value);
      return { byteLength: value.byteLength };
    }),
  );
  hash.update('\0');
  for (const piece of pieces) hash.update(piece);
  return hash.update(contentHash).digest();
}
