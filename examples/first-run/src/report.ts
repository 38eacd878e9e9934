/** What people read: the plan at the start, the tables at the end. */
import { styleText } from 'node:util';
import { draw } from '@guardstripe/layout';
import type { HostInfo } from '@guardstripe/mmap';
import Table from 'cli-table3';
import type { AffinityResult } from './affinity.ts';
import type { Candidate } from './candidate.ts';
import type { CrowdResult } from './crowd.ts';
import { bytes, count, duration, ratio } from './format.ts';
import type { Bound, Plan } from './plan.ts';
import type { RunResult } from './result.ts';
import type { Ratios, TimingRow } from './timing.ts';

/** How text is shown: with lines and colours in a terminal, with neither elsewhere. */
export type Look = 'terminal' | 'plain';

/** What the host offers, and the slab that is planned for it. */
export function planText(host: HostInfo, plan: Plan, columns: number | undefined): string {
  const { layout } = plan;
  const limit =
    host.addressSpaceLimitBytes === undefined ? '' : `, limited to ${bytes(host.addressSpaceLimitBytes)}`;
  const features = Object.entries(host.features).map(([name, there]) => `${name} ${there ? 'yes' : 'no'}`);
  const lines = [
    `Host: ${host.platform} ${host.arch}, pages of ${bytes(host.pageSize)}, ${host.addressBits} bits of address space${limit},`,
    `  vm.max_map_count ${host.maxMapCount === undefined ? 'unknown' : count(host.maxMapCount)}, overcommit ${host.overcommit}, ${features.join(', ')}`,
    `Plan: ${count(plan.slots)} slots, as many as ${boundWords(plan.bound)}, ${bytes(layout.slotBytes)} apart,`,
    `  memories of up to ${bytes(layout.maxMemoryBytes)}, ${bytes(layout.preSlabGuardBytes)} of guard in front: ` +
      `${bytes(layout.totalSlabBytes)} of address space`,
  ];
  // The gutter that a terminal's lines have needs a few columns.
  const width = Math.min(Math.max((columns ?? 100) - 4, 40), 100);
  return `${lines.join('\n')}\n${draw(layout, { format: 'text', width }).trimEnd()}`;
}

/** Everything that stands at the end. */
export function endText(result: RunResult, look: Look): string {
  const parts = [summaryTable(result, look)];
  if (result.candidates.length > 0) parts.unshift(modulesTable(result, look), TABLE_NOTE, '');
  if (result.candidates.length === 0) parts.push('No module was left to run on.');
  parts.push(
    ...result.failures.slice(0, MAX_FAILURES_SHOWN).map((failure) => paint('red', `WRONG: ${failure}`, look)),
  );
  const more = result.failures.length - MAX_FAILURES_SHOWN;
  if (more > 0) parts.push(`... and ${count(more)} more`);
  parts.push(verdict(result, look));
  return `\n${parts.join('\n')}\n`;
}

const MAX_FAILURES_SHOWN = 20;

function verdict(result: RunResult, look: Look): string {
  const seconds = `${result.seconds.toFixed(1)} s`;
  if (result.failures.length > 0) return paint('red', `Not everything was as it must be (${seconds})`, look);
  if (result.exitCode !== 0)
    return `Everything that ran was as it must be, but not all files could be used (${seconds})`;
  return paint('green', `Everything was as it must be (${seconds})`, look);
}

function paint(colour: 'red' | 'green', text: string, look: Look): string {
  return look === 'terminal' ? styleText(colour, text) : text;
}

function modulesTable(result: RunResult, look: Look): string {
  const head = ['memory of', 'size', 'image', 'against V8', 'dropped', 'kept', 'new Memory', 'new Instance'];
  const table = makeTable(look, head, ['left', 'right', 'right', 'left', 'right', 'right', 'right', 'right']);
  const timings = new Map(result.timing?.rows.map((row) => [row.name, row]));
  for (const candidate of result.candidates) {
    const { name, initialBytes, memory, comparison } = candidate;
    table.push([
      name,
      bytes(initialBytes),
      memory.image === undefined ? memory.initialization : bytes(memory.image.byteLength),
      comparison.kind,
      ...timingCells(timings.get(name)),
    ]);
  }
  return trimLines(table.toString());
}

function timingCells(row: TimingRow | undefined): string[] {
  if (row === undefined) return ['-', '-', '-', '-'];
  const beside = (ms: number | undefined): string =>
    ms === undefined ? '-' : `${duration(ms)} ${ratio(ms / row.kept).padStart(5)}`;
  return [duration(row.dropped), duration(row.kept), beside(row.newMemory), beside(row.newInstance)];
}

const TABLE_NOTE = `dropped, kept: a memory recycled (allocate, write 4 pages, free), the pages dropped or written back and kept
new Memory, new Instance: V8's, with the same 4 pages written, and how many times as long as "kept" that takes`;

function summaryTable(result: RunResult, look: Look): string {
  const table = makeTable(look, [], ['left', 'left']);
  const { plan, pool, crowd, affinity, timing } = result;
  table.push(
    ['slots', `${count(plan.slots)}, as many as ${boundWords(plan.bound)}`],
    ['pool made in', duration(pool.createMs)],
    [
      'its slab',
      `${bytes(pool.slabBytes)} of address space; the process has ${bytes(Math.max(pool.resident.rssBytes, 0))} more resident`,
    ],
    ['against V8', comparisonWords(result.candidates)],
  );
  if (crowd !== undefined) table.push(...crowdRows(crowd));
  if (affinity !== undefined) table.push(...affinityRows(affinity));
  if (timing !== undefined) {
    table.push(['new WebAssembly.Memory', ratioWords(timing.newMemory)]);
    table.push(['new WebAssembly.Instance', ratioWords(timing.newInstance)]);
  }
  if (result.svg !== undefined) table.push(['picture of the slab', result.svg]);
  if (result.refused.length > 0) table.push(['left out', result.refused.map(({ name }) => name).join(', ')]);
  table.push(['checks', `${count(result.checksMade)} made, ${count(result.failures.length)} failed`]);
  return trimLines(table.toString());
}

/** What V8 takes beside recycling. */
export function ratioWords({ toDropped, toKept }: Ratios): string {
  return `takes ${ratio(toKept)} as long as recycling with pages kept, ${ratio(toDropped)} with pages dropped (medians)`;
}

/** How many memories start as V8's do. */
export function comparisonWords(candidates: readonly Candidate[]): string {
  if (candidates.length === 0) return 'nothing to compare';
  let equal = 0;
  let equalBytes = 0;
  for (const { comparison } of candidates) {
    if (comparison.kind !== 'equal') continue;
    equal++;
    equalBytes += comparison.bytes;
  }
  return `${equal} of ${candidates.length} memories equal, ${count(equalBytes)} bytes compared`;
}

function crowdRows(crowd: CrowdResult): string[][] {
  const { resident } = crowd;
  const mapped =
    crowd.maxMapCount === undefined
      ? `${count(crowd.mappings)} mappings`
      : `${count(crowd.mappings)} of ${count(crowd.maxMapCount)} mappings`;
  return [
    ['live at once', `${count(crowd.live)} memories, as many as ${boundWords(crowd.bound)} (${mapped})`],
    ['their sizes, in all', bytes(crowd.sumOfSizesBytes)],
    [
      'of that, images',
      `${bytes(crowd.sumOfImagesBytes)}, shared: ${bytes(crowd.distinctImageBytes)} of sealed files`,
    ],
    [
      'resident for them',
      `${bytes(resident.pssBytes)} (Rss ${bytes(resident.rssBytes)}), of it ${bytes(crowd.writtenBytes)} in pages they wrote to`,
    ],
    ['page tables for them', `${bytes(resident.pageTableBytes)}: slots lie gigabytes apart`],
    ['patterns', `${count(crowd.live - crowd.wrong)} of ${count(crowd.live)} memories verified`],
  ];
}

function affinityRows(affinity: AffinityResult): string[][] {
  const of = (part: number, whole: number): string => `${count(part)} of ${count(whole)}`;
  return [
    ['freed, allocated again', `in ${duration(affinity.freeMs)} and ${duration(affinity.allocateMs)}`],
    ['in a slot of their module', of(affinity.sameSlots, affinity.allocatedAgain)],
    ['images kept in free slots', of(affinity.imagesKept, affinity.imagesExpected)],
    [
      'reset to the byte',
      `${count(affinity.comparedWhole)} filled memories compared whole, ${count(affinity.comparedBytes)} bytes`,
    ],
  ];
}

function trimLines(text: string): string {
  return text.replaceAll(/ +$/gm, '');
}

/** The end of "as many as ...". */
export function boundWords(bound: Bound): string {
  switch (bound) {
    case '--slots':
      return '--slots says';
    case 'address space':
      return 'the address space has room for';
    case 'vm.max_map_count':
      return 'vm.max_map_count allows';
    case 'RAM':
      return 'half of the free RAM is enough for';
    case 'commit limit':
      return "the kernel's commit limit allows (vm.overcommit_memory is 2)";
  }
}

const NO_LINES = Object.fromEntries(
  ['top', 'bottom', 'mid', 'left', 'right']
    .flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`])
    .concat('mid-mid', 'middle')
    .map((name) => [name, '']),
);

function makeTable(look: Look, head: string[], colAligns: ('left' | 'right')[]): Table.Table {
  const style = {
    head: [],
    border: [],
    'padding-left': look === 'plain' ? 0 : 1,
    'padding-right': 1,
    compact: true,
  };
  const options = { head, colAligns, style };
  return new Table(look === 'plain' ? { ...options, chars: { ...NO_LINES, middle: ' ' } } : options);
}
