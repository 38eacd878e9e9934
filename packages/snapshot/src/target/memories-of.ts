/**
 * The memories that an instance uses, those included that it imports and does not export. JavaScript does not show them; V8's inspector
 * does. It is asked for strangers on the stack alone, once for each: that takes 0.2 ms.
 */
import type { Session } from 'node:inspector';

const known = new WeakMap<object, WeakSet<object>>();

/** Where this code and the inspector hand each other objects, while a question is asked. */
const DESK = '@guardstripe/snapshot: for the inspector';
const ON_DESK = `globalThis[${JSON.stringify(DESK)}]`;

interface Desk {
  readonly instance: object;
  readonly memories?: readonly object[];
}

/** Whether an instance may use a memory. Also true where the inspector does not tell, or there is none: a build without, `--permission`. */
export function mayUseOneOf(memories: readonly object[], instance: object): boolean {
  let used = known.get(instance);
  if (used === undefined) {
    const found = ask(instance);
    if (found === undefined) return true;
    known.set(instance, (used = new WeakSet(found)));
  }
  return memories.some((memory) => used.has(memory));
}

function ask(instance: object): Desk['memories'] {
  const desk: Desk = { instance };
  let session: Session | undefined;
  try {
    session = new (process.getBuiltinModule('node:inspector').Session)();
    session.connect();
    Object.defineProperty(globalThis, DESK, { value: desk, configurable: true });
    haveMemoriesPut(session);
  } catch {
    // It stays unknown.
  } finally {
    Reflect.deleteProperty(globalThis, DESK);
    session?.disconnect();
  }
  return desk.memories;
}

/** On the desk. Each answer comes before `post` returns. */
function haveMemoriesPut(session: Session): void {
  session.post('Runtime.evaluate', { expression: `${ON_DESK}.instance` }, (_, { result: { objectId } }) => {
    if (objectId === undefined) return;
    session.post('Runtime.getProperties', { objectId, ownProperties: true }, (__, { internalProperties }) => {
      const list = internalProperties?.find(({ name }) => name === '[[Memories]]')?.value?.objectId;
      if (list === undefined) return;
      const functionDeclaration = `function () { ${ON_DESK}.memories = Object.values(this); }`;
      session.post('Runtime.callFunctionOn', { objectId: list, functionDeclaration });
    });
  });
}
