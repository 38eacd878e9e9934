/** The real modules: out of npm packages, one of which hides them in its JavaScript. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** `import.meta.resolve` is not there under vitest. */
const { resolve } = createRequire(import.meta.url);

export interface RealModule {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A module as hash-wasm's bundle holds it. Every WebAssembly module begins with "\0asm": `AGFzb` in base64. */
const EMBEDDED_MODULE = /name\S* = "(\w+)";\s*var data\S* = "(AGFzb[\w+/=]+)"/g;

export function hashWasmModules(): readonly RealModule[] {
  const bundle = readFileSync(resolve('hash-wasm'), 'latin1');
  return Array.from(bundle.matchAll(EMBEDDED_MODULE), ([, name = '', base64 = '']) => ({
    name: `hash-wasm-${name}`,
    bytes: Buffer.from(base64, 'base64'),
  }));
}

export function sourceMapModule(): RealModule {
  return fromPackage('source-map', 'source-map/lib/mappings.wasm');
}

export function argon2BrowserModule(): RealModule {
  return fromPackage('argon2-browser', 'argon2-browser/dist/argon2.wasm');
}

/** All of them. */
export function realModules(): readonly RealModule[] {
  return [...hashWasmModules(), sourceMapModule(), argon2BrowserModule()];
}

function fromPackage(name: string, path: string): RealModule {
  return { name, bytes: readFileSync(resolve(path)) };
}
