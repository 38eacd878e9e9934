/** Tests that change settings of the kernel. They run as root in the emulated machine of `pnpm test:mpk`, which is nobody else's. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { TestContext } from 'vitest';
import { needing } from '@guardstripe/test-support';

/** Whether this is that machine. */
export const IS_OWN = process.env['GUARDSTRIPE_OWN_MACHINE'] === '1';

/** A test that runs in the machine; elsewhere it says so. `obstacle` is what this machine's kernel lacks for it. */
export function inOwnMachine(obstacle: string | undefined, test: () => void | Promise<void>) {
  return (context: TestContext): void | Promise<void> => {
    if (!IS_OWN)
      context.skip('it changes settings of the kernel, and runs in the machine of `pnpm test:mpk` only');
    return needing(obstacle, test)(context);
  };
}

/** Runs `use` while files of the kernel hold other values. */
export async function withSettings<T>(
  settings: Readonly<Record<string, string>>,
  use: () => T | Promise<T>,
): Promise<T> {
  const before = Object.keys(settings).map((file) => [file, chosen(readFileSync(file, 'latin1'))] as const);
  try {
    for (const [file, value] of Object.entries(settings)) writeFileSync(file, value);
    return await use();
  } finally {
    for (const [file, value] of before) writeFileSync(file, value);
  }
}

/** `always [madvise] never` says that it is `madvise`. */
function chosen(text: string): string {
  return /\[(\w+)\]/.exec(text)?.[1] ?? text.trim();
}
