import { markAsUntransferable } from 'node:worker_threads';
import { runInNewContext } from 'node:vm';

import { collect } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import { Mmap, platform, ViewLedger } from '../../src/index.js';

const { pageSize } = platform();
const map = Mmap.anonymous(3 * pageSize);
const never = () => false;
const transfer = (view: ArrayBuffer) => ArrayBuffer.prototype.transfer.call(view);
/** Since Node 24, a marked buffer cannot be transferred by anybody. */
const marksBind = Number(process.versions.node.split('.')[0]) >= 24;

/** A ledger whose end was called, and what it said; views that `use` made are garbage by then. */
function ended(use: (ledger: ViewLedger) => void): { left: string; collected: () => boolean } {
  const ledger = new ViewLedger();
  use(ledger);
  let collected = false;
  const left = ledger.end(() => (collected = true));
  return { left, collected: () => collected };
}

describe('end', () => {
  it("is 'none' without a view, and with empty ones only", () => {
    expect(ended(() => {}).left).toBe('none');
    const { left } = ended((ledger) => transfer(ledger.make(map.address, 0)));
    expect(left).toBe('none');
  });

  it("is 'held' with views, all detached, until all are collected", async () => {
    let kept: ArrayBuffer | undefined;
    const { left, collected } = ended((ledger) => {
      const views = [0, 1, 2].map((page) => ledger.make(map.address + page * pageSize, pageSize));
      kept = views[1];
      expect(ledger.numViews).toBe(3);
    });
    expect([left, kept?.detached, kept?.byteLength]).toEqual(['held', true, 0]);
    expect(await collect(collected, 8)).toBe(false);
    kept = undefined;
    expect(await collect(collected)).toBe(true);
  });

  it('waits for a view that was detached before', async () => {
    let kept: ArrayBuffer | undefined;
    const { left, collected } = ended((ledger) => {
      kept = ledger.make(map.address, 8);
      expect(ledger.detach(kept)).toBe('detached');
      expect(ledger.detach(kept)).toBe('detached');
      expect(ledger.numViews).toBe(0);
    });
    expect(left).toBe('held');
    expect(await collect(collected, 8)).toBe(false);
    expect(kept?.detached).toBe(true);
    kept = undefined;
    expect(await collect(collected)).toBe(true);
  });

  it('one tenancy does not wait for the next', async () => {
    const ledger = new ViewLedger();
    ledger.make(map.address, 8);
    let first = false;
    expect(ledger.end(() => (first = true))).toBe('held');
    const next = ledger.make(map.address, 8);
    expect(await collect(() => first)).toBe(true);
    expect(next.byteLength).toBe(8);
    expect(ledger.end(() => {})).toBe('held');
    expect(ledger.end(() => {})).toBe('none');
  });

  it.each([
    ['transfer by the intrinsic', (view: ArrayBuffer) => transfer(view)],
    ['transferToFixedLength', (view: ArrayBuffer) => ArrayBuffer.prototype.transferToFixedLength.call(view)],
    [
      'transfer in another realm',
      (view: ArrayBuffer) => runInNewContext('ArrayBuffer.prototype.transfer').call(view) as ArrayBuffer,
    ],
    [
      'a byte stream',
      (view: ArrayBuffer) => {
        let stream: ReadableByteStreamController | undefined;
        expect(
          new ReadableStream({
            type: 'bytes',
            start(controller) {
              stream = controller;
            },
          }),
        ).toBeDefined();
        stream?.enqueue(new Uint8Array(view));
      },
    ],
  ])("is 'stolen' after %s, also when nobody kept the view", async (_, steal) => {
    const ledger = new ViewLedger();
    steal(ledger.make(map.address, 8));
    ledger.make(map.address, 8);
    await collect(never, 8);
    expect(ledger.end(() => expect.unreachable())).toBe('stolen');
    ledger.make(map.address, 8);
    expect(ledger.end(() => {})).toBe('held');
  });

  it("is 'stolen' if a stolen view was detached, or its bytes asked for, afterwards", () => {
    const { left } = ended((ledger) => {
      const view = ledger.make(map.address, 8);
      transfer(view);
      expect(ledger.detach(view)).toBe('stolen');
    });
    expect(left).toBe('stolen');
  });

  it.runIf(marksBind)('waits for a view that nobody can detach', async () => {
    let kept: ArrayBuffer | undefined;
    const { left, collected } = ended((ledger) => {
      kept = ledger.make(map.address, 8);
      markAsUntransferable(kept);
      expect(ledger.detach(kept)).toBe('undetachable');
    });
    expect([left, kept?.byteLength]).toEqual(['held', 8]);
    expect(() => transfer(kept!)).toThrow(/not detachable/);
    expect(await collect(collected, 8)).toBe(false);
    kept = undefined;
    // Node ends with a fatal error if it finds a marked view of foreign memory when it ends.
    expect(await collect(collected)).toBe(true);
  });

  it('is not fooled by what a caller does to a view', () => {
    const views: ArrayBuffer[] = [];
    ended((ledger) => {
      for (let n = 0; n < 3; n++) views.push(ledger.make(map.address, 8));
      const [own, prototype, other] = views as [ArrayBuffer, ArrayBuffer, ArrayBuffer];
      Object.defineProperty(own, 'detached', { value: true });
      Object.setPrototypeOf(prototype, null);
      Object.setPrototypeOf(other, runInNewContext('ArrayBuffer.prototype') as object);
      Object.freeze(other);
      expect(views.map((view) => ledger.has(view))).toEqual([true, true, true]);
    });
    for (const view of views) {
      expect(Reflect.get(ArrayBuffer.prototype, 'byteLength', view)).toBe(0);
    }
  });
});

describe('endUnsafe', () => {
  it('does not wait for detached views, but tells of stolen ones', () => {
    const ledger = new ViewLedger();
    const view = ledger.make(map.address, 8);
    expect(ledger.endUnsafe(() => {})).toBe('none');
    expect(view.detached).toBe(true);
    transfer(ledger.make(map.address, 8));
    expect(ledger.endUnsafe(() => {})).toBe('stolen');
    expect(ledger.endUnsafe(() => {})).toBe('none');
  });

  it.runIf(marksBind)('waits for views that cannot be detached', async () => {
    const ledger = new ViewLedger();
    let collected = false;
    (() => {
      const view = ledger.make(map.address, 8);
      markAsUntransferable(view);
    })();
    expect(ledger.endUnsafe(() => (collected = true))).toBe('held');
    expect(await collect(() => collected)).toBe(true);
  });
});

describe('many views', () => {
  it('beyond 4,096 the oldest are held weakly; one that dies unseen may have been stolen', async () => {
    const ledger = new ViewLedger();
    const kept = Array.from({ length: 3 }, () => ledger.make(map.address, 8));
    for (let n = 0; n < 10_000; n++) ledger.make(map.address, 8);
    const before = ledger.numViews;
    await collect(never, 8);
    for (let n = 0; n < 20_000; n++) ledger.make(map.address, 8);
    expect(before).toBe(10_003);
    // Those of the first lap are gone, the kept ones are not.
    expect(ledger.numViews).toBeLessThan(25_000);
    expect(kept.every((view) => view.byteLength === 8)).toBe(true);
    expect(ledger.end(() => {})).toBe('stolen');
    expect(kept.every((view) => view.detached)).toBe(true);
  });

  it('up to that, nothing is unseen', async () => {
    const ledger = new ViewLedger();
    for (let n = 0; n < 4096; n++) ledger.make(map.address, 8);
    await collect(never, 8);
    expect(ledger.numViews).toBe(4096);
    expect(ledger.end(() => {})).toBe('held');
  });
});
