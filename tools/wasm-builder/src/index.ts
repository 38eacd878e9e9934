/**
 * WebAssembly modules for tests and benchmarks: whole ones from their shapes, and odd ones section by section. Private to
 * the repository.
 */
export * from './bytes.ts';
export * from './module.ts';
export * from './sections.ts';
