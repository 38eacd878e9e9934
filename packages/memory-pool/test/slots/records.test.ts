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
    records.setTainted(1, true);
    records.startTenancy(1, MOST - 4, 0);
    expect(records.takeState(1)).toBe(SlotState.UNMAPPED);
    expect(records.takeState(1)).toBe(SlotState.UNKNOWN);
    records.putPreviouslyUsed(1);
    expect(records.takeState(1)).toBe(SlotState.PREVIOUSLY_USED);
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
    const seen = new Set<number>();
    for (let i = 0; i < 5; i++) {
      seen.add(records.startTenancy(0, 0, 0));
      expect(records.isLive(0)).toBe(true);
      records.endTenancy(0, 1);
      expect(records.isLive(0)).toBe(false);
    }
    expect(seen.size).toBe(5);
    const far = new SlotRecords(1, bufferWithGeneration(2 ** 32 - 2));
    const last = far.startTenancy(0, 0, 0);
    far.endTenancy(0, 1);
    const next = far.startTenancy(0, 0, 0);
    expect([last, next]).toEqual([2 ** 32 - 1, 2 ** 32 + 1]);
    expect(far.isLive(0)).toBe(true);
  });

  it("keeps stores' lists as a plain model does", () => {
    const slots = fc.integer({ min: 0, max: 7 });
    const owners = fc.constantFrom(1, 2, 3);
    fc.assert(
      fc.property(fc.array(fc.tuple(slots, owners), { maxLength: 60 }), (commands) => {
        const records = new SlotRecords(8);
        const heads = [0, 0, 0, 0];
        const model = new Map<number, number>();
        for (const [slot, owner] of commands) {
          const current = model.get(slot);
          if (current === undefined) {
            records.startTenancy(slot, 1, heads[owner]!);
            heads[owner] = slot + 1;
            model.set(slot, owner);
          } else {
            heads[current] = records.endTenancy(slot, heads[current]!);
            model.delete(slot);
          }
          for (const each of [1, 2, 3]) {
            expect(listed(records, heads[each]!)).toEqual(
              [...model.keys()].filter((key) => model.get(key) === each).sort((a, b) => a - b),
            );
          }
        }
      }),
    );
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
