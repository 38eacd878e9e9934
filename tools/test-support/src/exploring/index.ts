/** Tries every order in which threads may do the steps of some functions, with a death behind each. */
export * from './explore.ts';
export * from './machine.ts';
