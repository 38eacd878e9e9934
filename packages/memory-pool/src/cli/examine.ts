/** What follows from the facts: what the pool will do, and what to change. One function for one finding. */
import { formatBytes, plan, type Plan, type PlanHost } from '@guardstripe/layout';
import type { Facts } from './facts.js';

/** One thing that a pool can have or not. */
export interface Finding {
  /** What was looked at. */
  readonly subject: string;
  /** `ok`: as good as it gets. `note`: it works, more is possible. `fix`: a pool of the default settings cannot be made. */
  readonly state: 'ok' | 'note' | 'fix';
  /** What was found. */
  readonly found: string;
  /** What the pool therefore does. */
  readonly effect: string;
  /** What to change to do better. */
  readonly advice?: string;
}

/** The whole answer. */
export interface Report {
  readonly works: boolean;
  readonly findings: readonly Finding[];
  /** A pool of the default settings, planned for this host. */
  readonly defaultPool: Pick<
    Plan,
    'fits' | 'liveMemories' | 'boundBy' | 'slotsByAddressSpace' | 'liveByMappings'
  >;
  /** What `plan(settings, host)` of `@guardstripe/layout` takes. */
  readonly host: PlanHost;
  readonly facts: Facts;
}

type Rule = (facts: Facts, defaults: Plan) => Finding;

/** Whether all is well otherwise, the word for it. */
const noteIf = (applies: boolean): 'note' | 'ok' => (applies ? 'note' : 'ok');

/** Everything that follows from the facts. */
export function examine(facts: Facts): Report {
  const host = planHost(facts);
  const defaults = plan({}, host);
  const findings = RULES.map((rule) => rule(facts, defaults));
  const { fits, liveMemories, boundBy, slotsByAddressSpace, liveByMappings } = defaults;
  return {
    works: findings.every(({ state }) => state !== 'fix'),
    findings,
    defaultPool: { fits, liveMemories, boundBy, slotsByAddressSpace, liveByMappings },
    host,
    facts,
  };
}

function planHost(facts: Facts): PlanHost {
  const { pageSize, addressBits, maxMapCount, protectionKeys, memoryBytes, features, overcommit } = facts;
  const guardPages = features.guardPages && overcommit !== 'never';
  // What was tried is within RLIMIT_AS.
  const { largestReservationBytes } = facts;
  return {
    pageSize,
    addressBits,
    largestReservationBytes,
    maxMapCount,
    protectionKeys,
    memoryBytes,
    guardPages,
  };
}

const pages: Rule = ({ pageSize }) => ({
  subject: 'page size',
  state: noteIf(pageSize > 4096),
  found: formatBytes(pageSize),
  effect:
    pageSize > 4096
      ? 'sizes and images are rounded up to it, and a write dirties as much'
      : 'sizes are rounded up to it',
});

const addressSpace: Rule = (facts, { slabFits, layout, slotsByAddressSpace }) => {
  const { addressBits, largestReservationBytes, addressSpaceLimitBytes } = facts;
  const found = `${addressBits} bits, ${formatBytes(largestReservationBytes)} in one piece`;
  if (slabFits) {
    const effect = `room for ${count(slotsByAddressSpace)} slots of the default ${formatBytes(layout.slotBytes)}`;
    return { subject: 'address space', state: 'ok', found, effect };
  }
  return {
    subject: 'address space',
    state: 'fix',
    found,
    effect: `the default 1,000 slots do not fit, ${count(slotsByAddressSpace)} do`,
    advice:
      `Give the pool at most ${count(slotsByAddressSpace)} totalMemories, or lower memoryReservation and maxMemorySize` +
      `${addressSpaceLimitBytes === undefined ? '' : ', or raise RLIMIT_AS'}: npx @guardstripe/layout --this-host plans it.`,
  };
};

const addressLimit: Rule = ({ addressSpaceLimitBytes }) => {
  const subject = 'RLIMIT_AS';
  if (addressSpaceLimitBytes === undefined) {
    return { subject, state: 'ok', found: 'no limit', effect: 'a slab may take all the address space' };
  }
  return {
    subject,
    state: 'note',
    found: formatBytes(addressSpaceLimitBytes),
    effect: 'the slab counts against it, used or not',
    advice:
      'Lift the limit on address space where the pool runs: ulimit -v unlimited, or LimitAS=infinity in systemd.',
  };
};

const OVERCOMMIT: Readonly<Record<Facts['overcommit'], string>> = {
  heuristic: 'reserving is free; pages count when they are touched',
  always: 'reserving is free; pages count when they are touched',
  never: 'the accessible bytes of live memories count as used, touched or not',
  unknown: 'not known: the setting cannot be read',
};

const overcommit: Rule = ({ overcommit: mode }) => ({
  subject: 'overcommit',
  state: noteIf(mode === 'never' || mode === 'unknown'),
  found: mode,
  effect: OVERCOMMIT[mode],
  ...(mode === 'never'
    ? {
        advice: 'Set vm.overcommit_memory to 0, or raise vm.overcommit_ratio to hold what may be accessible.',
      }
    : {}),
});

const mapCount: Rule = ({ maxMapCount, mappingsInUse }, { liveByMappings, mappingsPerMemory, layout }) => {
  const subject = 'vm.max_map_count';
  if (maxMapCount === undefined) {
    return {
      subject,
      state: 'note',
      found: 'unknown',
      effect: 'a pool may end at it without a warning here',
    };
  }
  const tooFew = liveByMappings < layout.numSlots;
  const more = 'sysctl -w vm.max_map_count=1048576 (and in /etc/sysctl.d)';
  return {
    subject,
    state: liveByMappings === 0 ? 'fix' : noteIf(tooFew),
    found: `${count(maxMapCount)}, ${count(mappingsInUse)} in use`,
    effect: `${count(liveByMappings)} slots can be used in the pools of all threads together, at up to ${mappingsPerMemory} mappings each`,
    advice: `${tooFew ? 'Raise it' : 'Raise it for larger pools'}: ${more}.`,
  };
};

const memory: Rule = ({ memoryBytes }, { liveByMemory, layout }) => ({
  subject: 'RAM',
  state: noteIf(liveByMemory < layout.numSlots),
  found: formatBytes(memoryBytes),
  effect: 'bounds what live memories write to, and what free slots keep (maxUnusedBytesResident)',
});

const protectionKeys: Rule = ({ protectionKeys: numKeys, noKeysReason }) => {
  const subject = 'protection keys';
  if (numKeys < 2) {
    return {
      subject,
      state: 'note',
      found: String(numKeys),
      effect: `slots are not striped: ${noKeysReason ?? 'other code in this process holds the keys'}`,
      advice:
        'For up to fifteen times as many slots, run where there are keys: x86-64 with PKU (Intel servers since Skylake, ' +
        'AMD since Zen 3), which a virtual machine must pass on.',
    };
  }
  return {
    subject,
    state: 'ok',
    found: String(numKeys),
    effect: 'slots are striped where maxMemorySize is less than memoryReservation',
    advice: 'Lower maxMemorySize to what modules need: up to fifteen times as many slots fit.',
  };
};

const pagemapScan: Rule = ({ features }) =>
  features.pagemapScan
    ? {
        subject: 'PAGEMAP_SCAN',
        state: 'ok',
        found: 'yes',
        effect: 'a reset writes back only the pages that are dirty, up to linearMemoryKeepResident',
      }
    : {
        subject: 'PAGEMAP_SCAN',
        state: 'note',
        found: 'no',
        effect: 'a reset drops all pages; with linearMemoryKeepResident set, it writes all of these bytes',
        advice: 'Use Linux 6.7 or later, and let the container make this ioctl.',
      };

const processMadvise: Rule = ({ features }) =>
  features.processMadvise
    ? {
        subject: 'process_madvise',
        state: 'ok',
        found: 'yes',
        effect: 'a batch of freed slots (decommitBatchSize) is dropped in one call',
      }
    : {
        subject: 'process_madvise',
        state: 'note',
        found: 'no',
        effect: 'the pages of freed slots are dropped by one call each',
        advice: 'Use Linux 6.13 or later, and let the container make this call.',
      };

const memfd: Rule = ({ features }) =>
  features.memfd
    ? {
        subject: 'memfd',
        state: 'ok',
        found: 'yes',
        effect: 'memories of a module share its image until they write',
      }
    : {
        subject: 'memfd',
        state: 'note',
        found: 'no',
        effect: 'no images: the data of a module is copied into each memory',
        advice: 'Let the container call memfd_create with seals.',
      };

const sharedZeroPage: Rule = ({ features }) =>
  features.sharedZeroPage
    ? {
        subject: 'zero page',
        state: 'ok',
        found: 'yes',
        effect: 'a page that is only read takes no RAM, and a reset passes over it',
      }
    : {
        subject: 'zero page',
        state: 'note',
        found: 'no',
        effect: 'a page that is only read takes RAM and counts as dirty: resets after long reads cost more',
        advice: 'Keep linearMemoryKeepResident at what a memory writes: what it has read beyond is dropped.',
      };

const HUGE_PAGES: Readonly<Record<Facts['transparentHugePages'], string>> = {
  always: 'a memory of 2 MiB or more may take 2 MiB of RAM for each byte that it touches',
  madvise: 'slots get ordinary pages: they take the RAM that they touch',
  never: 'slots get ordinary pages: they take the RAM that they touch',
  unknown: 'not known: the setting cannot be read',
};

const hugePages: Rule = ({ transparentHugePages: mode }) => ({
  subject: 'huge pages',
  state: noteIf(mode === 'always'),
  found: mode,
  effect: HUGE_PAGES[mode],
  ...(mode === 'always'
    ? {
        advice: 'For many small memories: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled.',
      }
    : {}),
});

const views: Rule = ({ hasViews }) => ({
  subject: 'views',
  state: noteIf(!hasViews),
  found: hasViews ? 'yes' : 'no',
  effect: hasViews
    ? 'JavaScript reads and writes memories through buffer'
    : 'memory.buffer throws, for this runtime refuses external buffers; native guests work',
});

const sharedPools: Rule = ({ threads: { obstacle, hasStartTimes, hasWaitAsync } }) => {
  const subject = 'shared pools';
  if (obstacle !== undefined) {
    const effect = `a pool cannot be shared by threads: ${obstacle}`;
    return { subject, state: 'note', found: 'no', effect, advice: 'Give each worker a pool of its own.' };
  }
  if (!hasWaitAsync) {
    const effect =
      'threads can share a pool, but not wait for a slot: allocateAsync fails where there is none';
    const advice = 'Have the engine offer Atomics.waitAsync, or ask again with tryAllocate.';
    return { subject, state: 'note', found: 'yes, without Atomics.waitAsync', effect, advice };
  }
  if (!hasStartTimes) {
    const effect = 'what an ended thread had comes back, but not while another thread has its number';
    const advice = 'Let the process read its own /proc/self/task.';
    return { subject, state: 'note', found: 'yes, without /proc/self/task', effect, advice };
  }
  const effect = 'threads can share a pool and wait in one line; what ended threads had comes back';
  return { subject, state: 'ok', found: 'yes', effect };
};

const RULES: readonly Rule[] = [
  addressSpace,
  addressLimit,
  pages,
  mapCount,
  overcommit,
  memory,
  hugePages,
  protectionKeys,
  memfd,
  pagemapScan,
  processMadvise,
  sharedZeroPage,
  views,
  sharedPools,
];

function count(value: number): string {
  return value === Infinity ? 'any number of' : value.toLocaleString('en-US');
}
