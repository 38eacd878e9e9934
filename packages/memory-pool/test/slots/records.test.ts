import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlotRecords, SlotState } from '../../src/slots/records.js';

describe('SlotRecords', () => {
  it('starts with every slot unmapped and nothing else said', () => {
    const records = new SlotRecords(3);
    for (const slot of [0, 1, 2]) {
      expect(records.state(slot)).toBe(SlotState.UNMAPPED);
      expect(records.isLive(slot)).toBe(false);
      expect(records.imageId(slot)).toBe(0);
      expect(records.accessiblePages(slot)).toBe(0);
      expect(records.byteLength(slot)).toBe(0);
    }
  });

  it('keeps the fields of neighbouring slots apart, at their largest values', () => {
    const records = new SlotRecords(3);
    records.setImage(1, 0x7fffffff, 0xffffffff, 0xfffffffe);
    records.setAccessiblePages(1, 0xfffffffd);
    records.setByteLength(1, Number.MAX_SAFE_INTEGER);
    records.setTainted(1, true);
    records.link(1, 9, 0);
    expect(records.takeState(1)).toBe(SlotState.UNMAPPED);
    expect(records.state(1)).toBe(SlotState.UNKNOWN);
    expect(records.imageId(1)).toBe(0x7fffffff);
    expect(records.imageFirstPage(1)).toBe(0xffffffff);
    expect(records.imagePages(1)).toBe(0xfffffffe);
    expect(records.accessiblePages(1)).toBe(0xfffffffd);
    expect(records.byteLength(1)).toBe(Number.MAX_SAFE_INTEGER);
    expect(records.isTainted(1)).toBe(true);
    expect(records.owner(1)).toBe(9);
    for (const slot of [0, 2]) {
      expect(records.state(slot)).toBe(SlotState.UNMAPPED);
      expect(records.imageId(slot)).toBe(0);
      expect(records.imageFirstPage(slot)).toBe(0);
      expect(records.accessiblePages(slot)).toBe(0);
      expect(records.byteLength(slot)).toBe(0);
      expect(records.isTainted(slot)).toBe(false);
      expect(records.owner(slot)).toBe(0);
    }
  });

  it("makes every tenancy's generation odd and new", () => {
    const records = new SlotRecords(1);
    const seen = new Set<number>();
    for (let i = 0; i < 5; i++) {
      seen.add(records.nextGeneration(0));
      expect(records.isLive(0)).toBe(true);
      records.nextGeneration(0);
      expect(records.isLive(0)).toBe(false);
    }
    expect(seen.size).toBe(5);
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
            heads[owner] = records.link(slot, owner, heads[owner]!);
            model.set(slot, owner);
          } else {
            heads[current] = records.unlink(slot, heads[current]!);
            model.delete(slot);
          }
          for (const each of [1, 2, 3]) {
            expect(listed(records, heads[each]!, each)).toEqual(
              [...model.keys()].filter((key) => model.get(key) === each).sort((a, b) => a - b),
            );
          }
        }
      }),
    );
  });
});

/** The slots of a list, sorted; taken off a copy of the links by unlinking and linking again in order. */
function listed(records: SlotRecords, head: number, owner: number): number[] {
  const found: number[] = [];
  let rest = head;
  while (rest !== 0) {
    const slot = rest - 1;
    expect(records.owner(slot)).toBe(owner);
    found.push(slot);
    rest = records.unlink(slot, rest);
  }
  let again = 0;
  for (const slot of found.toReversed()) again = records.link(slot, owner, again);
  expect(again).toBe(head);
  return found.sort((a, b) => a - b);
}
