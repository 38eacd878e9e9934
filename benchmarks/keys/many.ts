/** Processes that each hold many memories, until all of them have verified theirs. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What one process held. */
export interface Many {
  readonly verified: number;
  readonly numStripes: number;
  readonly slabBytes: number;
  readonly mappings: number;
  readonly residentBytes: number;
  /** Memory that the whole machine had left at that moment. */
  readonly freeBytes: number;
  readonly seconds: number;
}

/** What a process says: first that it holds all, then, asked when all do, what it found. */
export type Message = { readonly kind: 'held' } | { readonly kind: 'verified'; readonly many: Many };

const CHILD = fileURLToPath(new URL('many-child.ts', import.meta.url));

export async function holdMany(numProcesses: number, perProcess: number): Promise<readonly Many[]> {
  const children = Array.from({ length: numProcesses }, () => fork(CHILD, [String(perProcess)]));
  try {
    await Promise.all(children.map((child) => hear(child, 'held')));
    // Only now, when all memories of all processes are live, is anything verified.
    for (const child of children) child.send('verify');
    const messages = await Promise.all(children.map((child) => hear(child, 'verified')));
    return messages.map((message) => (message as Extract<Message, { kind: 'verified' }>).many);
  } finally {
    for (const child of children) child.kill();
  }
}

async function hear(child: ChildProcess, kind: Message['kind']): Promise<Message> {
  const died = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`A process died before it said "${kind}": ${String(signal ?? code)}`);
  });
  const said = once(child, 'message').then(([message]) => message as Message);
  const message = await Promise.race([said, died]);
  died.catch(() => undefined);
  if (message.kind !== kind) throw new Error(`A process said "${message.kind}" instead of "${kind}"`);
  return message;
}
