/** A kernel whose walks over page tables answer what cannot be: nothing is done by it, least of all to somebody else's pages. */
import { describe, expect, it } from 'vitest';

import {
  Mmap,
  PageRestorer,
  PageScanner,
  platform,
  type RestoreStrategy,
  type VirtualMemory,
} from '../../src/index.js';
import { checkRuns, pageRuns } from '../../src/platform/page-runs.js';
import { ApartScan } from '../../src/restore/apart.js';
import { contentsOf } from '../../src/restore/contents.js';

const system = platform();
const { pageSize } = system;
const PAGES = 48;
/** Pages on either side, which belong to nobody that is restored. */
const BESIDE = 8 * pageSize;
const BYTES = PAGES * pageSize;

const WALKS = [
  'scanPages',
  'scanOwnPages',
  'scanWrittenPages',
  'scanUnwrittenPages',
  'scanDirtyPages',
  'scanResident',
] as const;
type Answer = Parameters<VirtualMemory['scanPages']>[2];
type Lie = (answer: Answer, address: number, byteLength: number) => void;

function run(answer: Answer, start: number, end: number): void {
  answer.count = 1;
  answer.starts[0] = start;
  answer.ends[0] = end;
  if ('kinds' in answer) answer.kinds[0] = 0;
}

const LIES: readonly (readonly [string, Lie])[] = [
  ['a run before the range', (answer, address) => run(answer, address - BESIDE, address)],
  ['a run that begins before it', (answer, address) => run(answer, address - pageSize, address + pageSize)],
  [
    'a run that ends behind it',
    (answer, address, byteLength) => run(answer, address, address + byteLength + pageSize),
  ],
  ['a run of less than nothing', (answer, address) => run(answer, address + 2 * pageSize, address)],
  ['a run that is nowhere', (answer) => run(answer, Number.NaN, Number.NaN)],
  [
    'the same run twice',
    (answer, address) => {
      run(answer, address, address + pageSize);
      [answer.starts[1], answer.ends[1], answer.count] = [address, address + pageSize, 2];
    },
  ],
  ['more runs than there is room for', (answer) => void (answer.count = answer.starts.length + 1)],
  ['fewer than none', (answer) => void (answer.count = -1)],
  ['that it did not move', (answer, address) => void (answer.walkEnd = address)],
  [
    'that it went on behind the end',
    (answer, address, byteLength) => void (answer.walkEnd = address + byteLength + pageSize),
  ],
];

/** The real system, whose walks lie while `lying.now` is set. */
function liar(lie: Lie, walks: readonly string[] = WALKS) {
  const lying = { now: false, lies: 0 };
  const virtualMemory = new Proxy(system, {
    get(target, name: keyof VirtualMemory) {
      const value = target[name];
      if (!walks.includes(name)) return value;
      return (...args: never[]) => {
        Reflect.apply(value as () => void, target, args);
        if (!lying.now) return;
        // A loop that believes in an end that never comes is to end.
        if ((lying.lies += 1) > 1000) throw new Error('believed again and again');
        const [address, byteLength] = args as unknown as [number, number];
        lie(args.at(-1)!, address, byteLength);
      };
    },
  });
  return { lying, virtualMemory };
}

/** Pages between those of two others. */
function scene() {
  const map = Mmap.anonymous(BYTES + 2 * BESIDE);
  map.advise(0, map.byteLength, 'nohugepage');
  const all = new Uint8Array(map.view());
  const bytes = all.subarray(BESIDE, BESIDE + BYTES);
  all.fill(7, 0, BESIDE).fill(7, BESIDE + BYTES);
  const range = { address: map.address + BESIDE, byteLength: BYTES };
  const isUntouched = () => all.every((byte, i) => (i >= BESIDE && i < BESIDE + BYTES) || byte === 7);
  return { map, bytes, range, isUntouched };
}

describe.runIf(PageRestorer.isSupported('scan'))(
  'a walk that answers (skipped where there is no PAGEMAP_SCAN)',
  () => {
    const ways: readonly (readonly RestoreStrategy[] | undefined)[] = [
      undefined,
      ['scan'],
      ['scan', 'drop'],
      ...(PageRestorer.isSupported('watch') ? [['watch'] as const] : []),
    ];

    it.each(LIES)('%s is not believed: the bytes come back, and nobody else’s are touched', (_, lie) => {
      for (const strategies of ways) {
        const { map, bytes, range, isUntouched } = scene();
        using _map = map;
        const { lying, virtualMemory } = liar(lie);
        const refusals: string[] = [];
        using restorer = new PageRestorer(range, {
          virtualMemory,
          clean: true,
          onRefusal: ({ code }) => refusals.push(code),
          ...(strategies && { strategies }),
        });
        for (let round = 1; round <= 9; round++) {
          bytes.fill(9, 0, round % 3 === 0 ? BYTES : pageSize + 1);
          lying.now = round % 3 !== 1;
          lying.lies = 0;
          restorer.restore();
          expect(bytes.every((byte) => byte === 0)).toBe(true);
          expect(isUntouched()).toBe(true);
          if (lying.lies > 0) expect(refusals.splice(0)).toContain('EPROTO');
          if (lying.lies === 0) continue;
          expect(() => restorer.changedRanges()).toThrow(expect.objectContaining({ code: 'EPROTO' }));
        }
      }
    });

    it.runIf(PageRestorer.isSupported('watch')).each(LIES)(
      '%s is not believed where pages are dropped that were not written lately (skipped without userfaultfd)',
      (_, lie) => {
        const { map, bytes, range, isUntouched } = scene();
        using _map = map;
        const { lying, virtualMemory } = liar(lie, ['scanUnwrittenPages']);
        const refusals: string[] = [];
        using restorer = new PageRestorer(range, {
          virtualMemory,
          clean: true,
          strategies: ['watch'],
          maxResidentBytes: 8 * pageSize,
          onRefusal: ({ code }) => refusals.push(code),
        });
        lying.now = true;
        for (let round = 0; round < 8; round++) {
          for (let page = 0; page < 6; page++) bytes[(round * 6 + page) * pageSize] = 9;
          restorer.restore();
          expect(bytes.every((byte) => byte === 0)).toBe(true);
          expect(isUntouched()).toBe(true);
        }
        expect(lying.lies).toBeGreaterThan(0);
        expect(refusals).toContain('EPROTO');
      },
    );

    it.each(LIES)('%s is not believed of a part of a range either', (_, lie) => {
      const { map, range } = scene();
      using _map = map;
      const image = { offset: 8 * pageSize, bytes: new Uint8Array(8 * pageSize), mapped: true };
      const { lying, virtualMemory } = liar(lie);
      const contents = contentsOf([image], virtualMemory);
      const apart = new ApartScan();
      apart.counted(1e6, contents, BYTES);
      const scan = () => apart.scan(virtualMemory, contents, range.address, BYTES, pageRuns(128));
      expect(scan()).toBe(true);
      lying.now = true;
      expect(scan).toThrow(expect.objectContaining({ code: 'EPROTO', byteLength: image.offset }));
    });

    it('more runs than there is room for are told from one that is wrong', () => {
      const one = { starts: Float64Array.of(0), ends: Float64Array.of(1), count: 2, walkEnd: 4 };
      expect(() => checkRuns(one, 0, 4)).toThrow('number of runs 0x2');
    });

    it.each(LIES)('%s is told to nobody', (_, lie) => {
      const { lying, virtualMemory } = liar(lie);
      using map = Mmap.anonymous(BYTES, { virtualMemory });
      new Uint8Array(map.view()).fill(1);
      const scanner = new PageScanner(map);
      lying.now = true;
      const wrong = expect.objectContaining({ code: 'EPROTO', byteLength: BYTES });
      expect(() => scanner.dirtyRanges()).toThrow(wrong);
      expect(() => map.resident()).toThrow(wrong);
      map.advise(0, BYTES, 'mergeable');
      expect(() => scanner.dirtyBytes()).toThrow(wrong);
      lying.now = false;
      expect(scanner.dirtyBytes()).toBe(BYTES);
    });
  },
);
