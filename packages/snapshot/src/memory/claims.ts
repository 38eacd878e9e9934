/**
 * Which copy of this package may do more to a memory than read and write it. Two versions in one tree of dependencies do not know of each
 * other: each would take the writes that the other undid for undone, and pages that the other laid for its own. So the first to
 * come has a memory, and the others copy.
 */

const KEY = Symbol.for('@guardstripe/snapshot: which copy of the package has a memory');

/** Of this copy. */
const OWN = Symbol('owner');

type Owners = WeakMap<object, symbol>;

let owners: Owners | undefined;

/** On `process`, which realms of one thread share, unlike `globalThis`. */
function ownersOfThread(): Owners {
  const host: object = typeof process === 'object' ? process : globalThis;
  let found = Reflect.get(host, KEY) as Owners | undefined;
  if (found === undefined) Object.defineProperty(host, KEY, { value: (found = new WeakMap()) });
  return found;
}

/** Whether the memory is this copy's, now and from now on. */
export function claim(memory: object): boolean {
  owners ??= ownersOfThread();
  const owner = owners.get(memory);
  if (owner === undefined) owners.set(memory, OWN);
  return owner === undefined || owner === OWN;
}
