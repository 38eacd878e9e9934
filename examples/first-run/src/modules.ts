/** Where the bytes of real modules are found: in npm packages, one of which hides them in its JavaScript, or in files. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One module's bytes, or why there are none. */
export type ModuleSource =
  | { readonly kind: 'bytes'; readonly name: string; readonly bytes: Uint8Array }
  | { readonly kind: 'unreadable'; readonly name: string; readonly reason: string };

/** Each is in `devDependencies`; resolved only when read, so that a missing one is a line and not the end. */
const PACKAGED: readonly (readonly [name: string, resolve: () => string])[] = [
  ['source-map/mappings.wasm', () => import.meta.resolve('source-map/lib/mappings.wasm')],
  ['argon2-browser/argon2.wasm', () => import.meta.resolve('argon2-browser/dist/argon2.wasm')],
  ['draco3d/draco_decoder.wasm', () => import.meta.resolve('draco3d/draco_decoder.wasm')],
  ['sql.js/sql-wasm.wasm', () => import.meta.resolve('sql.js/dist/sql-wasm.wasm')],
  ['vscode-oniguruma/onig.wasm', () => import.meta.resolve('vscode-oniguruma/release/onig.wasm')],
  ['tiktoken/tiktoken_bg.wasm', () => import.meta.resolve('tiktoken/tiktoken_bg.wasm')],
  ['esbuild-wasm/esbuild.wasm', () => import.meta.resolve('esbuild-wasm/esbuild.wasm')],
  // Imports its memory: here to show how a module is refused.
  ['quickjs/emscripten-module.wasm', () => import.meta.resolve('@jitl/quickjs-wasmfile-release-sync/wasm')],
];

export function packagedModules(): ModuleSource[] {
  return [
    ...PACKAGED.map(([name, resolve]) => read(name, () => readFileSync(fileURLToPath(resolve())))),
    ...hashWasm(),
  ];
}

export function moduleFiles(paths: readonly string[]): ModuleSource[] {
  const names = paths.map((path) => basename(path));
  return paths.map((path, index) => {
    // Two files of one name are told apart by their paths.
    const name = names.indexOf(basename(path)) === names.lastIndexOf(basename(path)) ? names[index] : path;
    return read(name ?? path, () => readFileSync(path));
  });
}

function read(name: string, load: () => Uint8Array): ModuleSource {
  try {
    return { kind: 'bytes', name, bytes: load() };
  } catch (error) {
    return { kind: 'unreadable', name, reason: (error as Error).message };
  }
}

/** A module as hash-wasm's bundle holds it. Every WebAssembly module begins with "\0asm": `AGFzb` in base64. */
const EMBEDDED_MODULE = /name\S* = "(\w+)";\s*var data\S* = "(AGFzb[\w+/=]+)"/g;

function hashWasm(): ModuleSource[] {
  const name = 'hash-wasm';
  const bundle = read(name, () => readFileSync(fileURLToPath(import.meta.resolve('hash-wasm'))));
  if (bundle.kind === 'unreadable') return [bundle];
  const text = Buffer.from(bundle.bytes).toString('latin1');
  const modules = Array.from(text.matchAll(EMBEDDED_MODULE), ([, algorithm, base64]) =>
    read(`${name}/${algorithm}`, () => Buffer.from(base64 ?? '', 'base64')),
  );
  return modules.length > 0
    ? modules
    : [{ kind: 'unreadable', name, reason: 'no module found in its JavaScript' }];
}
