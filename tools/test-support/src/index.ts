/** What the tests of several packages share. Private to the repository. */
export * from './code-of.ts';
export * from './collect.ts';
export * from './fixtures.ts';
export * from './laps.ts';
export * from './requirement.ts';
export * from './swap-file.ts';
