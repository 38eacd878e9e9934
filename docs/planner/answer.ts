/** The answer in words and numbers: what fits, what bounds it, what it costs, what stands out. */
import { formatBytes, type Plan } from '@guardstripe/layout';
import { showCosts } from './costs.ts';
import { byId, count, html } from './dom.ts';

/** Writes a plan's numbers and advice to the page. */
export function showAnswer(plan: Plan): void {
  showVerdict(plan);
  showBounds(plan);
  const { layout } = plan;
  const figures: readonly (readonly [string, string])[] = [
    ['Slab', formatBytes(layout.totalSlabBytes)],
    ['Slot', formatBytes(layout.slotBytes)],
    ['Memory, at most', formatBytes(layout.maxMemoryBytes)],
    ['Stripes', layout.numStripes === 1 ? 'none' : String(layout.numStripes)],
    ['Gain by stripes', `${plan.densityGain.toFixed(plan.densityGain < 10 ? 2 : 1)} times`],
    ['Free for a guest to overrun', formatBytes(layout.bytesToNextStripeSlot)],
    ['Guard before', formatBytes(layout.preSlabGuardBytes)],
    ['Guard after', formatBytes(layout.postSlabGuardBytes)],
    ['Mappings per live memory', String(plan.mappingsPerMemory)],
    ['Kept in RAM when free', formatBytes(plan.keptResidentBytes)],
  ];
  byId('figures', HTMLElement).replaceChildren(
    ...figures.map(([name, value]) => html('div', {}, html('dt', {}, name), html('dd', {}, value))),
  );
  showCosts(plan);
  showAdvice(plan);
}

/** Says what is wrong with the fields; the last plan stays on the page, dimmed. */
export function showMistake(message: string): void {
  const verdict = byId('verdict', HTMLElement);
  verdict.className = 'verdict error';
  verdict.replaceChildren(html('strong', {}, 'Not a plan yet. '), message);
}

function showVerdict(plan: Plan): void {
  const { settings, names, fits, slabFits, liveMemories, boundBy } = plan;
  const verdict = byId('verdict', HTMLElement);
  const wanted = count(settings.totalMemories);
  const one = settings.totalMemories === 1;
  const fit = slabFits
    ? `${one ? 'slot fits' : 'slots fit'}${fits ? '' : ', but not all can be live'}.`
    : `${one ? 'slot does' : 'slots do'} not fit.`;
  const bounds: Readonly<Record<Plan['boundBy'], string>> = {
    totalMemories: `as many as ${names.totalMemories} asks for`,
    'address space': 'more do not fit into the address space',
    mappings: 'then the process has no more mappings',
    memory: 'then the RAM is full',
  };
  verdict.className = `verdict ${fits ? 'good' : slabFits ? 'warning' : 'error'}`;
  verdict.replaceChildren(
    html('strong', {}, `${wanted} ${fit} `),
    `${liveMemories === 1 ? '1 memory' : `${count(liveMemories)} memories`} can be live at once: ${bounds[boundBy]}.`,
  );
}

function showBounds(plan: Plan): void {
  const bounds: readonly (readonly [Plan['boundBy'], string, number])[] = [
    ['totalMemories', 'Settings ask for', plan.settings.totalMemories],
    ['address space', 'Address space holds', plan.slotsByAddressSpace],
    ['mappings', 'Mappings allow', plan.liveByMappings],
    ['memory', 'RAM allows', plan.liveByMemory],
  ];
  const finite = bounds.map(([, , amount]) => amount).filter(Number.isFinite);
  const most = Math.log10(Math.max(...finite, 1) + 1);
  byId('bounds', HTMLElement).replaceChildren(
    ...bounds.map(([bound, name, amount]) => {
      const percent = Number.isFinite(amount) ? (Math.log10(amount + 1) / most) * 100 : 100;
      const bar = html('span', {
        class: 'bar',
        style: `--share:${percent.toFixed(1)}%`,
        'aria-hidden': 'true',
      });
      const least = bound === plan.boundBy ? 'least' : '';
      const value = Number.isFinite(amount) ? count(amount) : 'no bound';
      return html('li', { class: least }, html('span', {}, name), bar, html('b', {}, value));
    }),
  );
}

function showAdvice({ advice, names }: Plan): void {
  const nameOf = (setting: string) => (names as Readonly<Record<string, string>>)[setting] ?? setting;
  const list = byId('advice', HTMLElement);
  if (advice.length === 0) {
    list.replaceChildren(html('li', { class: 'good' }, 'Nothing stands out.'));
    return;
  }
  list.replaceChildren(
    ...advice.map(({ severity, setting, message }) =>
      html(
        'li',
        { class: severity },
        html('span', { class: 'badge' }, severity),
        html('span', {}, html('code', {}, nameOf(setting)), ` ${message}`),
      ),
    ),
  );
}
