/** How a pool resets its slots, from its settings and what the system has. */
import { PageRestorer, type RestoreStrategy, type VirtualMemory } from '@guardstripe/mmap';
import type { Feature, ReadConfig, ResolvedConfig } from '../config.js';
import { PoolCreationError } from '../errors.js';
import type { ResetOptions } from './reset.js';

/** What is decided once: the settings, with the defaults that depend on the system, and what follows from them. */
export interface ResetDecision {
  readonly resolved: ResolvedConfig;
  readonly options: Omit<ResetOptions, 'onRefusal'>;
}

/** @throws {@link PoolCreationError} if a feature is `'enable'` and the system has it not */
export function decideReset(read: ReadConfig, virtualMemory: VirtualMemory): ResetDecision {
  const { given } = read;
  const scan = has('scan', 'pagemapScan', read.resolved.pagemapScan, virtualMemory);
  const watch = scan && has('watch', 'writeWatch', read.resolved.writeWatch, virtualMemory);
  const resolved: { -readonly [Name in keyof ResolvedConfig]: ResolvedConfig[Name] } = { ...read.resolved };
  if (given.linearMemoryKeepResident === undefined && !scan) resolved.linearMemoryKeepResident = 0;
  if (given.linearMemoryWriteBack === undefined) {
    resolved.linearMemoryWriteBack = resolved.linearMemoryKeepResident;
  }
  const strategies: RestoreStrategy[] = ['copy', 'drop'];
  if (scan) strategies.push('scan');
  if (watch) strategies.push('watch');
  const roundUp = (bytes: number) => Math.ceil(bytes / virtualMemory.pageSize) * virtualMemory.pageSize;
  return {
    resolved,
    options: {
      virtualMemory,
      strategies,
      writeBackBytes: roundUp(resolved.linearMemoryWriteBack),
      keepResidentBytes: roundUp(
        Math.min(resolved.linearMemoryKeepResident, resolved.maxUnusedBytesResident),
      ),
    },
  };
}

const NEEDS = {
  scan: 'this kernel has no PAGEMAP_SCAN (Linux 6.7 has)',
  watch: 'userfaultfd in asynchronous mode is not there (Linux 6.7 has it), or refused to this process',
} as const;

function has(
  strategy: keyof typeof NEEDS,
  setting: string,
  feature: Feature,
  virtualMemory: VirtualMemory,
): boolean {
  if (feature === 'disable') return false;
  // Writes are watched late, if ever, and asking takes a descriptor.
  if (feature === 'auto' && strategy === 'watch') return true;
  const can = PageRestorer.isSupported(strategy, virtualMemory);
  if (feature === 'enable' && !can) {
    throw new PoolCreationError(`Cannot create a pool with ${setting} 'enable': ${NEEDS[strategy]}`);
  }
  return can;
}
