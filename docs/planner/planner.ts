/** The slab planner page: reads the form, plans, and shows the answer. Everything runs in the reader's browser. */
import { describeLocation, draw, locate, parseBytes, type Plan, type SlabLayout } from '@guardstripe/layout';
import { showAnswer, showMistake } from './answer.ts';
import { CONFIG_TARGETS } from './configs.ts';
import { byId, html } from './dom.ts';
import { Form } from './form.ts';
import { ScaleView } from './scale-view.ts';
import { defaults, fromHash, planFor, toHash } from './state.ts';

let shown: Plan | undefined;
const results = byId('results', HTMLElement);
const location_ = byId('locate-offset', HTMLInputElement);
const form = new Form(update);
const view = new ScaleView((offset) => {
  location_.value = `0x${offset.toString(16)}`;
  showPlace();
});
buildTargets();
location_.addEventListener('input', showPlace);
byId('reset', HTMLButtonElement).addEventListener('click', () => {
  form.set(defaults());
  update();
});
byId('copy-link', HTMLButtonElement).addEventListener(
  'click',
  () => void copy(globalThis.location.href, 'The link'),
);
byId('copy-config', HTMLButtonElement).addEventListener(
  'click',
  () => void copy(byId('config', HTMLElement).textContent ?? '', 'The configuration'),
);
globalThis.addEventListener('hashchange', () => {
  // Our own writes come back here; only somebody else's change the form.
  if (globalThis.location.hash.slice(1) === toHash(form.values())) return;
  form.set(fromHash(globalThis.location.hash));
  update();
});
form.set(fromHash(globalThis.location.hash));
update();

function update(): void {
  const values = form.values();
  const outcome = planFor(values);
  results.classList.toggle('stale', outcome.kind === 'mistake');
  results.hidden = outcome.kind === 'mistake' && shown === undefined;
  if (outcome.kind === 'mistake') {
    form.showMistakes(outcome.fields);
    showMistake(outcome.message);
    return;
  }
  form.showMistakes([]);
  shown = outcome.plan;
  const hash = toHash(values);
  const { pathname, search } = globalThis.location;
  history.replaceState(null, '', hash === '' ? `${pathname}${search}` : `#${hash}`);
  showAnswer(outcome.plan);
  view.show(outcome.plan.layout);
  showPicture(outcome.plan.layout);
  showPlace();
  showConfig();
}

/** The labelled picture is the layout package's own. */
function showPicture(layout: SlabLayout): void {
  byId('picture', HTMLElement).innerHTML = draw(layout, { format: 'svg', idPrefix: 'picture' });
}

/** What lies at the offset that the reader typed or pointed at. */
function showPlace(): void {
  const place = byId('place', HTMLElement);
  location_.removeAttribute('aria-invalid');
  const text = location_.value.trim();
  if (shown === undefined || text === '') {
    place.textContent =
      'Point at the drawing, or enter the offset of a fault: its address less the address of the slab.';
    view.mark(undefined);
    return;
  }
  try {
    const offset = parseBytes(text, 'offset');
    place.textContent = sentence(describeLocation(locate(shown.layout, offset)));
    view.mark(offset < shown.layout.totalSlabBytes ? offset : undefined);
  } catch (error) {
    location_.setAttribute('aria-invalid', 'true');
    place.textContent = error instanceof Error ? error.message : String(error);
    view.mark(undefined);
  }
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

function buildTargets(): void {
  for (const [index, { id, label }] of CONFIG_TARGETS.entries()) {
    const input = html('input', { type: 'radio', name: 'target', value: id, id: `target-${id}` });
    input.checked = index === 0;
    input.addEventListener('change', showConfig);
    byId('targets', HTMLElement).append(
      html('label', { for: `target-${id}` }, input, html('span', {}, label)),
    );
  }
}

function showConfig(): void {
  const target = CONFIG_TARGETS.find(({ id }) => byId(`target-${id}`, HTMLInputElement).checked);
  if (shown !== undefined && target !== undefined) {
    byId('config', HTMLElement).textContent = target.write(shown.settings);
  }
}

/** Pages from files have no clipboard in some browsers: then the text is selected, ready for the reader's own copy. */
async function copy(text: string, what: string): Promise<void> {
  const said = byId('said', HTMLElement);
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = `${what} is copied.`;
  } catch {
    said.textContent = `The browser does not allow copying here. Copy by hand: ${what === 'The link' ? text : 'the text is selected'}`;
    if (what !== 'The link') getSelection()?.selectAllChildren(byId('config', HTMLElement));
  }
}
