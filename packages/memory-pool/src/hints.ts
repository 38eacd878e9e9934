/** What was probably meant, where people who are new here slip. Asked when an error is made anyway. */
import { formatBytes, isBytes, isInstance, parseBytes, type Slips } from '@guardstripe/common';
import { PoolModule } from './module/module.js';

const WASM_PAGE_BYTES = 65_536;

/** For what is not the options of `allocate`, or has no module among them. */
export function hintOfAllocate(options: unknown): string {
  if (isInstance(options, PoolModule)) return 'Did you mean allocate({ module })?';
  return `Did you mean allocate({ module: ${isBinary(options) ? 'describeModule(bytes)' : 'describeMemory(...)'} })?`;
}

/** For what is no module of ours. */
export function hintOfModule(module: unknown): string | undefined {
  if (isBinary(module)) return 'Did you mean describeModule(bytes)?';
  return undefined;
}

/** For what is no `Uint8Array` with a module's bytes. */
export function hintOfBytes(bytes: unknown): string | undefined {
  if (typeof bytes === 'string') return 'Did you mean the bytes of a file, readFileSync(path)?';
  if (isBuffer(bytes)) return 'Did you mean new Uint8Array(buffer)?';
  if (isCompiled(bytes)) return 'V8 does not give them back: pass the bytes that it was compiled from';
  return undefined;
}

/** For what is no description of a memory. */
export function hintOfDescription(description: unknown): string | undefined {
  if (typeof description === 'number') return 'Did you mean { initial: pages }?';
  if (typeof description === 'string') return 'Did you mean { file: path }?';
  if (isBytes(description)) return 'Did you mean { contents: bytes }?';
  return undefined;
}

/** Names of a description that there are not. */
export const DESCRIPTION_SLIPS: Slips = {
  size: "'initial', in pages of 64 KiB",
  pages: "'initial'",
  minimum: "'initial'",
  bytes: "'contents'",
  data: "'contents'",
  path: "'file'",
};

/** For a size as text where pages are counted. */
export function hintOfPages(pages: unknown, pageBytes: number = WASM_PAGE_BYTES): string | undefined {
  if (typeof pages !== 'string') return undefined;
  try {
    const count = Math.ceil(parseBytes(pages) / pageBytes);
    return `Pages are counted, of ${formatBytes(pageBytes)}: ${count} for ${pages}`;
  } catch {
    return undefined;
  }
}

function isBinary(value: unknown): boolean {
  return isBytes(value) || isBuffer(value) || isCompiled(value);
}

function isBuffer(value: unknown): boolean {
  return isInstance(value, ArrayBuffer);
}

/** By its tag: a forged one costs a wrong hint. */
function isCompiled(value: unknown): boolean {
  try {
    return Object.prototype.toString.call(value) === '[object WebAssembly.Module]';
  } catch {
    return false;
  }
}
