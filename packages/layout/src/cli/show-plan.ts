/** A plan as lines for a person. */
import { formatBytes, formatCount } from '@guardstripe/common';
import type { Plan, PlanAdvice, PlanBound } from '../plan/answer.js';
import type { SettingCost } from '../plan/costs.js';

/** How text is marked; a plain terminal, a pipe and a file get it as it is. */
export interface Style {
  readonly mark: (as: 'good' | 'error' | 'warning' | 'note' | 'bold', text: string) => string;
  /** Characters of a line; `undefined` does not break lines. */
  readonly widthChars: number | undefined;
}

/** What each bound is called, in the words that the settings were given in. */
function boundNames({ names }: Plan): readonly (readonly [PlanBound, string])[] {
  return [
    ['totalMemories', names.totalMemories],
    ['address space', 'address space'],
    ['mappings', 'vm.max_map_count'],
    ['memory', 'RAM'],
  ];
}

/** The whole answer. */
export function showPlan(plan: Plan, style: Style): string {
  const blocks = [verdict(plan, style), slab(plan, style), bounds(plan, style), costs(plan, style)];
  if (plan.advice.length > 0) blocks.push(plan.advice.map((advice) => showAdvice(advice, style)).join('\n'));
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function verdict(plan: Plan, style: Style): string {
  const { settings, liveMemories, boundBy, wantedSlabBytes, slabLimitBytes } = plan;
  const wanted = Number.isFinite(wantedSlabBytes) ? formatBytes(wantedSlabBytes) : 'more than 8 PiB';
  const bound = boundNames(plan).find(([name]) => name === boundBy)?.[1] ?? boundBy;
  return [
    `${headline(plan, style)}: ${plural(settings.totalMemories, 'slot')} take ${wanted} of address space, and ${formatBytes(slabLimitBytes)} can be had`,
    `${style.mark('bold', plural(liveMemories, 'memory', 'memories'))} can be live at once, bounded by ${bound}`,
  ].join('\n');
}

function headline({ fits, advice }: Plan, style: Style): string {
  if (fits) return style.mark('good', 'Fits');
  const canBeMade = advice.every(({ severity }) => severity !== 'error');
  return canBeMade
    ? style.mark('warning', 'Fits, but not all can be live')
    : style.mark('error', 'Does not fit');
}

function slab({ layout, densityGain, keptResidentBytes, mappingsPerMemory }: Plan, style: Style): string {
  const stripes =
    layout.numStripes === 1
      ? 'none'
      : `${layout.numStripes}, ${densityGain.toFixed(2)} times the slots of a slab without`;
  return table(style, `The slab${layout.numSlots === 0 ? '' : ` of ${plural(layout.numSlots, 'slot')}`}`, [
    ['slab', formatBytes(layout.totalSlabBytes)],
    ['slot', `${formatBytes(layout.slotBytes)}, of it memory at most ${formatBytes(layout.maxMemoryBytes)}`],
    [
      'guards',
      `${formatBytes(layout.preSlabGuardBytes)} before, ${formatBytes(layout.postSlabGuardBytes)} after`,
    ],
    ['stripes', stripes],
    ['mappings', `up to ${mappingsPerMemory} a slot once it was used`],
    ['kept in RAM', `${formatBytes(keptResidentBytes)} at most in free slots`],
  ]);
}

function bounds(plan: Plan, style: Style): string {
  const values: Readonly<Record<PlanBound, number>> = {
    totalMemories: plan.settings.totalMemories,
    'address space': plan.slotsByAddressSpace,
    mappings: plan.liveByMappings,
    memory: plan.liveByMemory,
  };
  const shown = boundNames(plan).map(([bound]) =>
    values[bound] === Infinity ? 'no bound' : formatCount(values[bound]),
  );
  const width = Math.max(...shown.map((text) => text.length));
  return table(
    style,
    'Most memories by',
    boundNames(plan).map(([bound, name], i) => {
      const line = (shown[i] ?? '').padStart(width);
      return [name, bound === plan.boundBy ? style.mark('bold', `${line}  <- the least`) : line];
    }),
  );
}

function costs({ costs, layout, names }: Plan, style: Style): string {
  if (costs.length === 0 || layout.numSlots === 0) return '';
  const rows = costs.map((cost) => {
    const change =
      cost.savedBytes === 0
        ? 'the same slab'
        : `${formatBytes(Math.abs(cost.savedBytes))} ${cost.savedBytes > 0 ? 'less' : 'more'}`;
    return [
      `${names[cost.setting]} ${show(cost.value)}`,
      `with ${show(cost.instead)}: ${change}, room for ${formatCount(cost.slotsByAddressSpace)} slots`,
    ] as const;
  });
  return table(style, 'What settings cost', rows);
}

function show(value: SettingCost['value']): string {
  return typeof value === 'number' ? formatBytes(value) : String(value);
}

function showAdvice({ severity, message }: PlanAdvice, style: Style): string {
  const label = `${severity}:`;
  const indent = ' '.repeat(label.length + 1);
  const lines = style.widthChars === undefined ? [message] : wrap(message, style.widthChars - indent.length);
  return `${style.mark(severity, label)} ${lines.join(`\n${indent}`)}`;
}

function table(style: Style, title: string, rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    style.mark('bold', title),
    ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`),
  ].join('\n');
}

/** Breaks between words; a word that is longer than a line gets one of its own. */
function wrap(text: string, widthChars: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > widthChars) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
