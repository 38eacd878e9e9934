/** What is remembered by slot, wherever in the slab the slots lie. */
import { describe, expect, it } from 'vitest';

import type { MemoryTemplate } from '../../src/module/template.js';
import { SlotNotes } from '../../src/moving/slot-notes.js';

const SLOTS = [0, 1, 1023, 1024, 5000, 134_217_726];

function templateOf(slot: number): MemoryTemplate {
  return {
    key: { moduleId: slot, memoryIndex: 0 },
    initialBytes: 0,
    maximumBytes: 0,
    pageBytes: 65_536,
    address: 'i32',
    image: undefined,
    writes: [],
  };
}

describe('notes', () => {
  it('are each slot’s own, until they are deleted', () => {
    const notes = new SlotNotes(false);
    const templates = SLOTS.map(templateOf);
    for (const [index, slot] of SLOTS.entries()) notes.add(slot, templates[index]!);
    expect(SLOTS.map((slot) => notes.template(slot))).toEqual(templates);
    expect([2, 1022, 1025, 134_217_725].map((slot) => notes.template(slot))).toEqual(
      Array(4).fill(undefined),
    );
    for (const slot of SLOTS.slice(0, 3)) notes.delete(slot);
    expect(SLOTS.map((slot) => notes.template(slot))).toEqual([
      ...Array<undefined>(3).fill(undefined),
      ...templates.slice(3),
    ]);
  });

  it('of slots that were never noted are none, and can be deleted', () => {
    const notes = new SlotNotes(true);
    notes.delete(7);
    expect([notes.template(7), notes.trace(7), notes.remove(1_000_000)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('end a use with the memory, once, and hand it out where the memory moves', () => {
    const notes = new SlotNotes(false);
    const ended: number[] = [];
    for (const slot of [3, 4, 5]) notes.add(slot, templateOf(slot), { end: () => ended.push(slot) });
    notes.delete(4);
    notes.delete(4);
    const use = notes.remove(5);
    expect(ended).toEqual([4]);
    use?.end();
    notes.add(5, templateOf(5));
    notes.delete(5);
    expect(ended).toEqual([4, 5]);
  });

  it('say where a memory was allocated, if they are asked to', () => {
    const notes = new SlotNotes(true);
    for (const slot of [1, 2, 3]) notes.add(slot, templateOf(slot));
    expect(notes.trace(2)).toContain('slot-notes.test');
    notes.delete(2);
    expect([notes.trace(2), typeof notes.trace(3)]).toEqual([undefined, 'string']);
    const silent = new SlotNotes(false);
    silent.add(1, templateOf(1));
    expect(silent.trace(1)).toBeUndefined();
  });
});
