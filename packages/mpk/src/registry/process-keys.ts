/** This process's key registry. */
import { processState, type ProcessState } from '@guardstripe/mmap';
import { colouredBytes } from '../coloured-bytes.js';
import { keySystem } from '../key-system.js';
import { pkru, processorHasKeys } from '../pkru.js';
import { KeyRegistry } from './key-registry.js';

let current: KeyRegistry | undefined;

/** The registry, or nothing where there are no keys and so never were any. */
export function keyRegistry(): KeyRegistry | undefined {
  if (current !== undefined) return current;
  const state = process.platform === 'linux' && process.arch === 'x64' ? processState() : undefined;
  if (state !== undefined) current = open(state);
  return current;
}

function open(state: ProcessState): KeyRegistry {
  const registry = new KeyRegistry(
    {
      words: state.keyWords,
      thread: state.thread,
      isGone: (thread) => state.isGone(thread),
      isHeldJointly: (map) => state.isHeldJointly(map),
      colouredBytes: readColouredBytes,
    },
    keySystem(),
  );
  // Now, and not at the first switch: a worker that is terminated while koffi declares something ends the process.
  if (processorHasKeys()) pkru();
  // Their pages are gone by now, so mostly their keys can go, too.
  state.onReaped(() => registry.sweep());
  return registry;
}

/** Nothing where `/proc` is hidden: then nobody knows that a key is not carried. */
function readColouredBytes(): ReadonlyMap<number, number> | undefined {
  try {
    return colouredBytes();
  } catch {
    return undefined;
  }
}
