/**
 * Older kernels and sandboxes, for real: a child has the kernel refuse calls that the package would like to make, and uses it.
 * What can be had in another way is; the rest is a typed error, and everything is as it was.
 */

import { sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import { fixtureJson } from '../../support/child.js';

/** Of x86-64 (asm/unistd_64.h). */
const SYS = {
  ioctl: 16,
  mremap: 25,
  madvise: 28,
  prctl: 157,
  fallocate: 285,
  processVmReadv: 310,
  processVmWritev: 311,
  memfdCreate: 319,
  userfaultfd: 323,
  mlock2: 325,
  pidfdOpen: 434,
  faccessat2: 439,
  processMadvise: 440,
};
const EPERM = 1;
const EINVAL = 22;
const ENOTTY = 25;
const ENOSYS = 38;
const EOPNOTSUPP = 95;
const PAGEMAP_SCAN = 0xc060_6610;
const PROCMAP_QUERY = 0xc068_6611;
const DONTUNMAP = 5;
const POPULATE_READ = 22;

type Answers = Record<string, unknown> & { readonly features: Record<string, boolean> };

const answersUnder = (...rules: (readonly number[])[]) =>
  fixtureJson(
    'old-kernel.mjs',
    rules.map((rule) => rule.join(':')),
  ) as Answers;

describe.runIf(process.arch === 'x64')('a kernel (numbers of calls are those of x64) that', () => {
  const here = answersUnder();

  it('refuses nothing does all that is asked', () => {
    expect(here).toMatchObject({
      isRefused: true,
      copies: true,
      largeCopy: true,
      closedPages: ['EFAULT', 'EFAULT', 'EFAULT', 4],
      lostPages: ['EFAULT', 'EFAULT', 7],
      growFile: [true, '7,0,0'],
      residentFile: true,
      image: '0,3',
      shared: 6,
      resident: [1, '0,1,0'],
      decommitMany: '0,1,0',
      guard: 'read',
      populate: 7,
      filesLostWithWorker: 0,
      viewsOfFeatures: 0,
    });
  });

  const scan = [SYS.ioctl, ENOTTY, 1, PAGEMAP_SCAN];
  const query = [SYS.ioctl, ENOTTY, 1, PROCMAP_QUERY];
  const NO_SCAN = { scan: 'not supported' };
  const noMemfd = 'SystemError ENOSYS memfd_create';

  const kernels: readonly [
    string,
    readonly (readonly number[])[],
    Record<string, unknown>?,
    Record<string, boolean>?,
  ][] = [
    ['has no process_vm_readv', [[SYS.processVmReadv, ENOSYS]]],
    ['forbids process_vm_writev', [[SYS.processVmWritev, EPERM]]],
    [
      'forbids both, as containers do',
      [
        [SYS.processVmReadv, EPERM],
        [SYS.processVmWritev, EPERM],
      ],
    ],
    ['has file systems without fallocate', [[SYS.fallocate, EOPNOTSUPP]]],
    ['has no fallocate', [[SYS.fallocate, ENOSYS]]],
    ['has no faccessat2 (before 5.8)', [[SYS.faccessat2, ENOSYS]]],
    ['forbids faccessat2, as older containers do', [[SYS.faccessat2, EPERM]]],
    ['has no process_madvise', [[SYS.processMadvise, ENOSYS]], {}, { processMadvise: false }],
    ['has no process_madvise on oneself', [[SYS.processMadvise, EINVAL]], {}, { processMadvise: false }],
    ['has no pidfd', [[SYS.pidfdOpen, ENOSYS]]],
    ['cannot scan (before 6.7)', [scan], NO_SCAN, { pagemapScan: false }],
    [
      'scans, and finds no page that was written',
      [[SYS.ioctl, 0, 1, PAGEMAP_SCAN]],
      NO_SCAN,
      { pagemapScan: false },
    ],
    ['cannot be asked for mappings (before 6.11)', [query]],
    ['has no memfd without exec (before 6.3)', [[SYS.memfdCreate, EINVAL, 1, 11]]],
    ['forbids userfaultfd', [[SYS.userfaultfd, EPERM]]],
    ['knows no names of mappings', [[SYS.prctl, EINVAL, 0, 0x5356_4d41]], { name: false }],
    ['populates nothing (before 5.14)', [[SYS.madvise, EINVAL, 2, POPULATE_READ]]],
    ['has no mlock2 (before 4.4)', [[SYS.mlock2, ENOSYS]], { lockOnFault: 'SystemError ENOSYS mlock2' }],
    [
      'cannot leave a range when it moves (before 5.7)',
      [[SYS.mremap, EINVAL, 3, DONTUNMAP]],
      { move: ['SystemError EINVAL mremap', 5, 5] },
    ],
    [
      'has no memfd at all (before 3.17)',
      [[SYS.memfdCreate, ENOSYS]],
      { image: noMemfd, shared: noMemfd },
      { memfd: false },
    ],
    [
      'has none of all that',
      [
        ...[SYS.processVmReadv, SYS.processVmWritev, SYS.fallocate, SYS.faccessat2, SYS.processMadvise].map(
          (call) => [call, ENOSYS],
        ),
        ...[SYS.pidfdOpen, SYS.userfaultfd, SYS.mlock2].map((call) => [call, ENOSYS]),
        [SYS.memfdCreate, EINVAL, 1, 11],
        [SYS.mremap, EINVAL, 3, DONTUNMAP],
        scan,
        query,
      ],
      { ...NO_SCAN, lockOnFault: 'SystemError ENOSYS mlock2', move: ['SystemError EINVAL mremap', 5, 5] },
      { pagemapScan: false, processMadvise: false },
    ],
  ];

  it.each(sampled(kernels))('%s', (_, rules, changes = {}, features = {}) => {
    const answers = answersUnder(...rules);
    expect(answers).toEqual({ ...here, ...changes, features: { ...here.features, ...features } });
  });
});
