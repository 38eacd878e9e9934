/** What each setting costs: the slab without it, and how many slots would fit then. */
import { formatBytes, type Plan, type SettingCost } from '@guardstripe/layout';
import { byId, count, html } from './dom.ts';

/** Writes the table; no table where nothing could be cheaper. */
export function showCosts({ costs, layout }: Plan): void {
  const shown = layout.numSlots === 0 ? [] : costs;
  byId('costs-section', HTMLElement).hidden = shown.length === 0;
  byId('costs', HTMLElement).replaceChildren(
    ...shown.map((cost) =>
      html(
        'tr',
        {},
        html('th', { scope: 'row' }, html('code', {}, cost.setting), ` ${valueText(cost.value)}`),
        html('td', {}, valueText(cost.instead)),
        html('td', {}, slabText(cost.savedBytes)),
        html('td', {}, count(cost.slotsByAddressSpace)),
      ),
    ),
  );
}

function valueText(value: SettingCost['value']): string {
  return typeof value === 'number' ? formatBytes(value) : String(value);
}

function slabText(savedBytes: number): string {
  if (savedBytes === 0) return 'the same';
  return `${formatBytes(Math.abs(savedBytes))} ${savedBytes > 0 ? 'less' : 'more'}`;
}
