/** Names that cannot go through C. */
import { UnsupportedGuestError } from './guest-header.ts';

/**
 * wasm2c writes the names of imports and exports into comments of its C, as they are: `*\/` ends the comment, and what follows is
 * compiled. From there we read them by line, an import's two names between quotes.
 */
// eslint-disable-next-line no-control-regex -- the line ends among them
const ENDS_A_COMMENT = /\*\/|[\0-\x1f\x7f]/;

/** @throws {@link UnsupportedGuestError} for a module with a name that would not stay a name */
export function refuseNames(bytes: Uint8Array): void {
  const module = new WebAssembly.Module(Uint8Array.from(bytes));
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    for (const part of [from, name]) if (part.includes("'") || ENDS_A_COMMENT.test(part)) refuse(part);
  }
  for (const { name } of WebAssembly.Module.exports(module)) if (ENDS_A_COMMENT.test(name)) refuse(name);
}

function refuse(name: string): never {
  throw new UnsupportedGuestError(`the name ${JSON.stringify(name)} would end a comment of the generated C`);
}
