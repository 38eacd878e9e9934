/** The form: builds its fields, keeps text and slider together, and says what was entered. */
import { formatBytes } from '@guardstripe/layout';
import { byId, html } from './dom.ts';
import { FIELDS, HOSTS, readField, type Field, type Values } from './state.ts';

/** Positions of a slider between two powers of two. */
const STEPS_PER_DOUBLING = 4;

type Control = HTMLInputElement | HTMLSelectElement;

/** All fields of the page. */
export class Form {
  readonly #controls = new Map<string, Control>();
  readonly #sliders = new Map<string, HTMLInputElement>();
  readonly #onChange: () => void;

  /** `onChange` hears of every change, whoever made it. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
    for (const field of FIELDS) byId(`fields-${field.group}`, HTMLElement).append(this.#build(field));
    const buttons = HOSTS.map(({ label, values }) => {
      const button = html('button', { type: 'button' }, label);
      button.addEventListener('click', () => {
        this.set({ ...this.values(), ...values });
        onChange();
      });
      return button;
    });
    byId('hosts', HTMLElement).append(...buttons);
  }

  /** What is entered now, as text. */
  values(): Record<string, string> {
    return Object.fromEntries(
      [...this.#controls].map(([name, control]) => [
        name,
        control instanceof HTMLInputElement && control.type === 'checkbox'
          ? control.checked
            ? 'yes'
            : 'no'
          : control.value,
      ]),
    );
  }

  /** Enters other values; nobody is told. */
  set(values: Values): void {
    for (const field of FIELDS) {
      const control = this.#controls.get(field.name);
      const text = values[field.name] ?? field.initial;
      if (control instanceof HTMLInputElement && control.type === 'checkbox')
        control.checked = text === 'yes';
      else if (control !== undefined) control.value = text;
      this.#followText(field);
    }
  }

  /** Marks fields as wrong, and all others as right. */
  showMistakes(names: readonly string[]): void {
    for (const [name, control] of this.#controls) {
      if (names.includes(name)) control.setAttribute('aria-invalid', 'true');
      else control.removeAttribute('aria-invalid');
    }
  }

  #build(field: Field): HTMLElement {
    const id = `field-${field.name}`;
    const control = makeControl(field, id);
    this.#controls.set(field.name, control);
    control.addEventListener('input', () => {
      this.#followText(field);
      this.#onChange();
    });
    const label = html('label', { for: id }, field.label);
    if (field.kind === 'flag') return html('div', { class: 'field flag' }, control, label);
    const parts: HTMLElement[] = [html('div', { class: 'field-head' }, label, control)];
    if (field.slider !== undefined) parts.push(this.#buildSlider(field, field.slider));
    if (field.hint !== '') {
      parts.push(html('p', { class: 'hint', id: `${id}-hint` }, field.hint));
      control.setAttribute('aria-describedby', `${id}-hint`);
    }
    return html('div', { class: 'field' }, ...parts);
  }

  #buildSlider(field: Field, ends: NonNullable<Field['slider']>): HTMLInputElement {
    const zero = field.name === 'memoryGuardSize' ? 1 : 0;
    const from = ends.linear === true ? ends.from : Math.log2(ends.from) * STEPS_PER_DOUBLING - zero;
    const to = ends.linear === true ? ends.to : Math.log2(ends.to) * STEPS_PER_DOUBLING;
    const slider = html('input', {
      type: 'range',
      min: from,
      max: to,
      step: 1,
      'aria-label': `${field.label}, slider`,
    });
    this.#sliders.set(field.name, slider);
    slider.addEventListener('input', () => {
      const control = this.#controls.get(field.name);
      if (control === undefined) return;
      const value =
        zero === 1 && Number(slider.value) === from ? 0 : valueAt(Number(slider.value), ends.linear === true);
      control.value = textOf(field, value);
      slider.setAttribute('aria-valuetext', control.value);
      this.#onChange();
    });
    return slider;
  }

  /** Puts the slider where the text says; leaves it where the text is no value. */
  #followText(field: Field): void {
    const slider = this.#sliders.get(field.name);
    const control = this.#controls.get(field.name);
    if (slider === undefined || control === undefined || field.slider === undefined) return;
    try {
      const value = Number(readField(field, control.value));
      const position = field.slider.linear === true ? value : Math.log2(value) * STEPS_PER_DOUBLING;
      slider.value = String(value === 0 ? slider.min : Math.round(position));
      slider.setAttribute('aria-valuetext', control.value);
    } catch {
      // The text is being typed; the page says what is wrong with it.
    }
  }
}

function makeControl(field: Field, id: string): Control {
  if (field.choices !== undefined) {
    const options = field.choices.map(([value, label]) => html('option', { value }, label));
    return html('select', { id }, ...options);
  }
  if (field.kind === 'flag') return html('input', { id, type: 'checkbox' });
  const numeric = field.kind.endsWith('count');
  return html('input', {
    id,
    type: 'text',
    autocomplete: 'off',
    spellcheck: 'false',
    inputmode: numeric ? 'numeric' : 'text',
    placeholder: field.kind.startsWith('optional') ? 'none' : '',
  });
}

/** Between powers of two, whole pages and round counts. */
function valueAt(position: number, linear: boolean): number {
  if (linear) return position;
  const power = 2 ** Math.floor(position / STEPS_PER_DOUBLING);
  return Math.max(Math.round(power * (1 + (position % STEPS_PER_DOUBLING) / STEPS_PER_DOUBLING)), 1);
}

/** Exact: two decimals of a unit would not bring back 1.125 GiB. */
function textOf(field: Field, value: number): string {
  if (!field.kind.endsWith('bytes')) return String(value);
  const unit = [2 ** 30, 2 ** 20, 2 ** 10].find((bytes) => value >= bytes && value % bytes === 0) ?? 1;
  return value === 0 ? '0 B' : `${value / unit} ${formatBytes(unit).slice(2)}`;
}
