/** Whether this process can have protection keys, asked of the processor and the kernel. */
import { nodeObstacle } from '@guardstripe/common';
import { processStateObstacle } from '@guardstripe/mmap';
import { keySystem } from './key-system.js';

/** Neither the processor nor the kernel changes its mind; whether all keys are taken just now is not asked. */
let answer: { readonly reason: string | undefined } | undefined;

/**
 * Whether memory protection keys can be had: Linux on x86-64, with a kernel and a processor that have them. Takes no key and changes no
 * right. All keys may still be taken, by other leases or other libraries.
 */
export function isSupported(): boolean {
  return supportReason() === undefined;
}

/** Why there are no keys, in words for a person; `undefined` where there are. */
export function supportReason(): string | undefined {
  answer ??= { reason: findObstacle() };
  return answer.reason;
}

function findObstacle(): string | undefined {
  const tooOld = nodeObstacle();
  if (tooOld !== undefined) return tooOld;
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `protection keys are used on Linux on x64 only, and this is ${process.platform} on ${process.arch}`;
  }
  try {
    // Without what threads share, nobody would know which keys are whose.
    const obstacle = processStateObstacle() ?? keySystem().obstacle();
    return obstacle === undefined ? undefined : `there are no protection keys: ${obstacle}`;
  } catch (error) {
    return `there are no protection keys: ${String(error)}`;
  }
}
