/** Where the figures come from. */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type, machine } from 'node:os';
import { host } from '@guardstripe/mmap';

/** The machine, as it is printed above the figures and kept beside them. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
  readonly v8: string;
  readonly maxMapCount: number | undefined;
  readonly pagemapScan: boolean;
  readonly processMadvise: boolean;
  readonly transparentHugePages: string;
}

const THP = '/sys/kernel/mm/transparent_hugepage/enabled';

export function describeMachine(): Machine {
  const { features, maxMapCount } = host();
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()} ${machine()}`,
    node: process.version,
    v8: process.versions.v8,
    maxMapCount,
    pagemapScan: features.pagemapScan,
    processMadvise: features.processMadvise,
    transparentHugePages: existsSync(THP)
      ? (/\[(\w+)\]/.exec(readFileSync(THP, 'utf8'))?.[1] ?? 'unknown')
      : 'none',
  };
}

export function printMachine(of: Machine): void {
  console.log(
    `${of.cpu}, ${of.cores} cores, ${of.memoryGib} GiB; ${of.kernel}; Node ${of.node}, V8 ${of.v8}`,
  );
  console.log(
    `PAGEMAP_SCAN ${yes(of.pagemapScan)}, process_madvise ${yes(of.processMadvise)}, ` +
      `vm.max_map_count ${of.maxMapCount ?? 'unknown'}, transparent huge pages: ${of.transparentHugePages}`,
  );
}

function yes(there: boolean): string {
  return there ? 'yes' : 'no';
}
