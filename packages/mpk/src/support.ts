/** Whether this process can have protection keys, asked of the kernel. */
import { SystemError } from '@guardstripe/mmap';
import { keySystem } from './key-system.js';

type Answer = { readonly supported: true } | { readonly supported: false; readonly reason: string };

let answer: Answer | undefined;

/** Whether memory protection keys can be had: Linux on x86-64, with a kernel and a processor that have them. Asked once. */
export function isSupported(): boolean {
  return ask().supported;
}

/** Why there are no keys, in words for a person; `undefined` where there are. */
export function supportReason(): string | undefined {
  const found = ask();
  return found.supported ? undefined : found.reason;
}

/** A key that was taken once shows support better than any probe: later, all may be taken. */
export function noteSupported(): void {
  answer = { supported: true };
}

function ask(): Answer {
  answer ??= probe();
  return answer;
}

function probe(): Answer {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    const reason = `protection keys are used on Linux on x64 only, and this is ${process.platform} on ${process.arch}`;
    return { supported: false, reason };
  }
  try {
    const system = keySystem();
    system.free(system.allocate());
    return { supported: true };
  } catch (error) {
    const said = error instanceof SystemError ? error.code : String(error);
    return {
      supported: false,
      reason: `the kernel gives no protection key (${said}): the processor has none, the kernel has them off, or all are taken`,
    };
  }
}
