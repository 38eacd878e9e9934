/**
 * The net under leases that are lost: collected without having been disposed. Their keys are nobody's then, closed by every mask, and given
 * back as soon as no page carries them. It is a net, not a plan: the collector runs when it likes.
 */
import { keyRegistry } from './process-keys.js';
import type { Taken } from './key-registry.js';

let warned = false;

const registry = new FinalizationRegistry<readonly Taken[]>((keys) => {
  const known = keyRegistry();
  if (known === undefined) return;
  for (const key of keys) if (known.isHeld(key)) known.withhold(key);
  known.sweep();
  if (warned) return;
  warned = true;
  process.emitWarning(`A lease of ${keys.length} protection keys was garbage collected without dispose()`, {
    code: 'GUARDSTRIPE_KEY_LEAK',
    detail:
      'Call dispose(), or declare it with "using". The keys are withheld while pages carry them. Further leases are caught without a warning.',
  });
});

/** Watches what a lease and all its keys refer to; it must not be referred to by `keys`. */
export function watchForLoss(hold: object, keys: readonly Taken[]): void {
  registry.register(hold, keys, hold);
}

/** Stops watching: the keys were given back. */
export function forgetLoss(hold: object): void {
  registry.unregister(hold);
}
