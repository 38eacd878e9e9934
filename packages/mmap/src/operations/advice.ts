/** The hints a map can give to the system, and the ones it leaves to other methods. */
import { invalidArgValue } from '@guardstripe/common';

/**
 * What to tell the system about a range of pages (`madvise(2)`); a kernel that does not know a hint refuses it (`EINVAL`).
 *
 * | hint | meaning |
 * | --- | --- |
 * | `'normal'` `'sequential'` `'random'` | how a file will be read, for its read-ahead |
 * | `'willneed'` | start reading the file's pages, or bring swapped ones back |
 * | `'populate-read'` `'populate-write'` | fault all pages in now, for reading or for writing (Linux 5.14) |
 * | `'cold'` `'pageout'` | take these pages first when memory runs short; take them now (Linux 5.4) |
 * | `'free'` | anonymous pages whose bytes no longer matter: until written again they read as before, or as zeros |
 * | `'hugepage'` `'nohugepage'` | whether transparent huge pages may be used here |
 * | `'collapse'` | make them huge now (Linux 6.1) |
 * | `'mergeable'` `'unmergeable'` | whether equal pages may be merged (KSM) |
 * | `'dontfork'` `'dofork'` | whether a forked child has the pages |
 * | `'wipeonfork'` `'keeponfork'` | whether a forked child reads zeros in them (anonymous pages) |
 * | `'dontdump'` `'dodump'` | whether they are part of a core dump |
 */
export type Advice =
  | 'normal'
  | 'sequential'
  | 'random'
  | 'willneed'
  | 'populate-read'
  | 'populate-write'
  | 'cold'
  | 'pageout'
  | 'free'
  | 'hugepage'
  | 'nohugepage'
  | 'collapse'
  | 'mergeable'
  | 'unmergeable'
  | 'dontfork'
  | 'dofork'
  | 'wipeonfork'
  | 'keeponfork'
  | 'dontdump'
  | 'dodump';

/** Every hint, as {@link Advice} describes them. */
export const ADVICES: readonly Advice[] = [
  'normal',
  'sequential',
  'random',
  'willneed',
  'populate-read',
  'populate-write',
  'cold',
  'pageout',
  'free',
  'hugepage',
  'nohugepage',
  'collapse',
  'mergeable',
  'unmergeable',
  'dontfork',
  'dofork',
  'wipeonfork',
  'keeponfork',
  'dontdump',
  'dodump',
];

const KNOWN: ReadonlySet<unknown> = new Set(ADVICES);

/** `'dontneed'` is not a hint: it changes what is read at once, so it has a method of its own that says so. */
export function checkAdvice(value: unknown): asserts value is Advice {
  if (KNOWN.has(value)) return;
  const rule =
    value === 'dontneed'
      ? 'must be a hint; dropping pages is what decommit() does'
      : `must be one of: ${ADVICES.map((advice) => `'${advice}'`).join(', ')}`;
  throw invalidArgValue('advice', rule, value);
}
