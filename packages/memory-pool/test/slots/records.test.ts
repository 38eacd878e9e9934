import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordBytes, SlotRecords, SlotState } from '../../src/slots/records.js';

const MOST = Number.MAX_SAFE_INTEGER;

describe('SlotRecords', () => {
  it('starts with every slot unmapped and nothing else said', () => {
    const records = new SlotRecords(3);
    for (const slot of [0, 1, 2]) {
      expect(records.isLive(slot)).toBe(false);
      expect(records.imageId(slot)).toBe(0);
      expect(records.accessiblePages(slot)).toBe(0);
      expect(records.byteLength(slot)).toBe(0);
      expect(records.mappings(slot)).toBe(0);
      expect(records.hasShape(slot, 0, 0)).toBe(true);
      expect(records.takeState(slot)).toBe(SlotState.UNMAPPED);
    }
  });

  it('keeps the fields of neighbouring slots apart, at the largest values there are', () => {
    const records = new SlotRecords(3);
    records.setImage(1, MOST, MOST - 1, MOST - 2);
    records.setAccessiblePages(1, MOST - 3);
    expect(records.takeState(1)).toBe(SlotState.UNMAPPED);
    expect(records.takeState(1)).toBe(SlotState.UNKNOWN);
    records.putPreviouslyUsed(1);
    expect(records.takeState(1)).toBe(SlotState.PREVIOUSLY_USED);
    records.setTainted(1, true);
    records.startTenancy(1, MOST - 4, { head: 0, length: 0 });
    expect(records.imageId(1)).toBe(MOST);
    expect(records.imageFirstPage(1)).toBe(MOST - 1);
    expect(records.imagePages(1)).toBe(MOST - 2);
    expect(records.accessiblePages(1)).toBe(MOST - 3);
    expect(records.byteLength(1)).toBe(MOST - 4);
    expect(records.isTainted(1)).toBe(true);
    expect(records.isOwned(1)).toBe(true);
    for (const slot of [0, 2]) {
      expect(records.takeState(slot)).toBe(SlotState.UNMAPPED);
      expect(records.imageId(slot)).toBe(0);
      expect(records.imageFirstPage(slot)).toBe(0);
      expect(records.accessiblePages(slot)).toBe(0);
      expect(records.byteLength(slot)).toBe(0);
      expect(records.isTainted(slot)).toBe(false);
      expect(records.isOwned(slot)).toBe(false);
    }
    records.setTainted(1, false);
    expect(records.isTainted(1)).toBe(false);
    expect(records.isOwned(1)).toBe(true);
  });

  it("makes every tenancy's generation odd and new, past what 32 bits hold", () => {
    const records = new SlotRecords(1);
    const list = { head: 0, length: 0 };
    const seen = new Set<number>();
    records.takeState(0);
    for (let i = 0; i < 5; i++) {
      const generation = records.startTenancy(0, 0, list);
      seen.add(generation);
      expect(records.isLive(0)).toBe(true);
      expect(records.isCurrent(0, generation)).toBe(true);
      records.endTenancy(0, list);
      expect(records.isLive(0)).toBe(false);
      expect(records.isCurrent(0, generation)).toBe(false);
    }
    expect(seen.size).toBe(5);
    const far = new SlotRecords(1, bufferWithGeneration(2 ** 32 - 2));
    far.takeState(0);
    const last = far.startTenancy(0, 0, list);
    far.endTenancy(0, list);
    const next = far.startTenancy(0, 0, list);
    expect([last, next]).toEqual([2 ** 32 - 1, 2 ** 32 + 1]);
    expect(far.isLive(0)).toBe(true);
  });

  it('says of a tainted record that it has no shape for sure', () => {
    const records = new SlotRecords(3);
    records.setAccessiblePages(1, 4);
    expect(records.hasShape(1, 0, 4)).toBe(true);
    records.setTainted(1, true);
    expect(records.hasShape(1, 0, 4)).toBe(false);
  });

  it("keeps stores' lists as a plain model does", () => {
    const slots = fc.integer({ min: 0, max: 7 });
    const owners = fc.constantFrom(1, 2, 3);
    fc.assert(
      fc.property(fc.array(fc.tuple(slots, owners), { maxLength: 60 }), (commands) => {
        const records = new SlotRecords(8);
        const lists = [0, 1, 2, 3].map(() => ({ head: 0, length: 0 }));
        const model = new Map<number, number>();
        for (const [slot, owner] of commands) {
          const current = model.get(slot);
          if (current === undefined) {
            records.takeState(slot);
            records.startTenancy(slot, slot, lists[owner]!);
            model.set(slot, owner);
          } else {
            expect(records.endTenancy(slot, lists[current]!)).toBe(slot);
            model.delete(slot);
          }
          for (const each of [1, 2, 3]) {
            const expected = [...model.keys()].filter((key) => model.get(key) === each);
            expect(listed(records, lists[each]!.head)).toEqual(expected.sort((a, b) => a - b));
            expect(lists[each]!.length).toBe(expected.length);
          }
        }
      }),
    );
  });
});

describe('a record that is not in the state that a change starts from', () => {
  const list = () => ({ head: 0, length: 0 });
  /** Slot 1 of three has a tenant. */
  const lived = () => {
    const records = new SlotRecords(3);
    const owner = list();
    records.takeState(1);
    records.startTenancy(1, 5, owner);
    return { records, owner };
  };
  const CORRUPTED = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });

  it('stays as it was, and the change throws', () => {
    const { records, owner } = lived();
    const wrong: Record<string, () => unknown> = {
      'is taken while a tenant has it': () => records.takeState(1),
      'gets a second tenant': () => records.startTenancy(1, 5, list()),
      'gets a tenant before it was taken': () => records.startTenancy(0, 5, list()),
      'is given back while a tenant has it': () => records.putPreviouslyUsed(1),
      'ends a tenancy that it has not': () => records.endTenancy(0, owner),
      "is not on its store's list": () => records.endTenancy(1, list()),
    };
    for (const [what, change] of Object.entries(wrong)) {
      expect(change).toThrow(CORRUPTED);
      expect(change).toThrow(what);
    }
    expect(records.isLive(1)).toBe(true);
    expect(records.isLive(0)).toBe(false);
    expect(records.byteLength(1)).toBe(5);
    expect(owner).toEqual({ head: 2, length: 1 });
    expect(records.endTenancy(1, owner)).toBe(5);
  });

  it('is noticed where a slot is none of the pool, or was written over', () => {
    const { records, owner } = lived();
    for (const slot of [3, -1, Number.NaN]) {
      expect(() => records.takeState(slot)).toThrow(CORRUPTED);
      expect(() => records.startTenancy(slot, 5, owner)).toThrow(CORRUPTED);
      expect(() => records.putPreviouslyUsed(slot)).toThrow(CORRUPTED);
      expect(() => records.endTenancy(slot, owner)).toThrow(CORRUPTED);
    }
    const buffer = new ArrayBuffer(recordBytes(3));
    const overwritten = new SlotRecords(3, buffer);
    new Int32Array(buffer).fill(77);
    expect(() => overwritten.takeState(1)).toThrow('slot 1 is in state 77');
    expect(() => overwritten.putPreviouslyUsed(1)).toThrow(CORRUPTED);
  });

  it('is not given back as clean while a failed call left its pages unknown', () => {
    const records = new SlotRecords(3);
    records.takeState(1);
    records.setTainted(1, true);
    expect(() => records.putPreviouslyUsed(1)).toThrow(CORRUPTED);
    records.setTainted(1, false);
    records.putPreviouslyUsed(1);
    expect(records.takeState(1)).toBe(SlotState.PREVIOUSLY_USED);
  });

  it('is noticed before a list is cut or joined wrongly', () => {
    const buffer = new ArrayBuffer(recordBytes(4));
    const words = new Int32Array(buffer);
    const records = new SlotRecords(4, buffer);
    const owner = list();
    for (const slot of [0, 1, 2]) {
      records.takeState(slot);
      records.startTenancy(slot, slot, owner);
    }
    records.takeState(3);
    // The list is 2, 1, 0. Slot 1 says that it follows 3; then slot 2 says that it follows somebody.
    words[1 * 16 + 14] = 4;
    expect(() => records.endTenancy(2, owner)).toThrow(CORRUPTED);
    expect(() => records.endTenancy(1, owner)).toThrow(CORRUPTED);
    words[1 * 16 + 14] = 3;
    words[2 * 16 + 14] = 1;
    expect(() => records.startTenancy(3, 5, owner)).toThrow(CORRUPTED);
    words[2 * 16 + 14] = 0;
    expect(() => records.endTenancy(1, { head: 3, length: 0 })).toThrow(CORRUPTED);
    expect(() => records.nextOwned(3)).toThrow(CORRUPTED);
    expect(owner).toEqual({ head: 3, length: 3 });
    for (const slot of [1, 2, 0]) records.endTenancy(slot, owner);
    expect(owner).toEqual({ head: 0, length: 0 });
  });

  it('takes no impossible numbers', () => {
    const { records } = lived();
    for (const pages of [-1, Number.NaN]) {
      expect(() => records.setAccessiblePages(1, pages)).toThrow(CORRUPTED);
      expect(() => records.setByteLength(1, pages)).toThrow(CORRUPTED);
      expect(() => records.setImage(1, 5, pages, 1)).toThrow(CORRUPTED);
      expect(() => records.setImage(1, 5, 1, pages)).toThrow(CORRUPTED);
    }
    expect(() => records.setByteLength(0, 5)).toThrow(CORRUPTED);
    expect(() => records.abandon(0)).toThrow(CORRUPTED);
    expect(() => records.putUnknown(1)).toThrow(CORRUPTED);
    expect(() => new SlotRecords(3, new ArrayBuffer(recordBytes(2)))).toThrow(CORRUPTED);
    expect([records.accessiblePages(1), records.byteLength(1), records.imageId(1)]).toEqual([0, 5, 0]);
  });

  it('is taken over from a thread that ended, whatever it said, and remembers nothing but how often it was used', () => {
    const { records } = lived();
    const generation = records.generation(1);
    records.takeOver(1);
    expect([records.isLive(1), records.isOwned(1), records.byteLength(1)]).toEqual([false, false, 0]);
    expect(records.isCurrent(1, generation)).toBe(false);
    expect(records.isTainted(1)).toBe(true);
    expect(records.hasShape(1, records.imageId(1), records.accessiblePages(1))).toBe(false);
    expect(records.takeState(1)).toBe(SlotState.UNKNOWN);
    records.takeOver(0);
    expect(records.generation(0)).toBe(0);
    expect(records.takeState(0)).toBe(SlotState.UNKNOWN);
  });

  it('is not taken over while views of it may be somewhere', () => {
    const { records, owner } = lived();
    expect(() => records.setViewed(0)).toThrow(CORRUPTED);
    records.setViewed(1);
    expect(records.isWithheld(1)).toBe(true);
    expect(() => records.takeOver(1)).toThrow(CORRUPTED);
    records.setRetired(1);
    records.endTenancy(1, owner);
    expect(records.isWithheld(1)).toBe(true);
    expect(() => records.takeOver(1)).toThrow(CORRUPTED);
    const other = lived();
    other.records.setViewed(1);
    other.records.endTenancy(1, other.owner);
    expect(other.records.isWithheld(1)).toBe(false);
  });

  it('is no tenant any more when the pool ends, whatever list it was on', () => {
    const { records } = lived();
    records.abandon(1);
    expect([records.isLive(1), records.isOwned(1), records.byteLength(1)]).toEqual([false, false, 0]);
  });
});

function bufferWithGeneration(generation: number): ArrayBuffer {
  const buffer = new ArrayBuffer(recordBytes(1));
  new Float64Array(buffer)[0] = generation;
  return buffer;
}

/** The slots of a list, sorted. */
function listed(records: SlotRecords, head: number): number[] {
  const found: number[] = [];
  for (let link = head; link !== 0; link = records.nextOwned(link - 1)) {
    expect(records.isOwned(link - 1)).toBe(true);
    found.push(link - 1);
  }
  return found.sort((a, b) => a - b);
}
