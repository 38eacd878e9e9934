/** The slab to scale on the page: drawn as SVG, moved with keys, pointer, wheel and the two sliders. */
import { describeLocation, formatBytes, formatHexBytes, locate, type SlabLayout } from '@guardstripe/layout';
import { byId, svg } from './dom.ts';
import {
  clampWindow,
  firstSlots,
  lastSlots,
  piecesIn,
  wholeSlab,
  windowAtLevel,
  zoom,
  zoomLevel,
  type Piece,
  type Window,
} from './scale.ts';

const HEIGHT_PX = 148;
const BAND_Y = 30;
const BAND_HEIGHT = 76;
/** Steps of the sliders. */
const STEPS = 1000;
/** Narrower pieces get no text: about seven pixels a character. */
const CHARACTER_PX = 7;
/** Colours of the stripes in the style sheet. */
const NUM_COLOURS = 15;

/** The view; one for the page. */
export class ScaleView {
  readonly #stage = byId('scale-stage', HTMLElement);
  readonly #zoomSlider = byId('scale-zoom', HTMLInputElement);
  readonly #positionSlider = byId('scale-position', HTMLInputElement);
  readonly #range = byId('scale-range', HTMLElement);
  #layout: SlabLayout | undefined;
  #window: Window = { start: 0, end: 1 };
  #marked: number | undefined;
  #onMark: (offset: number) => void;

  /** `onMark` hears of the offset that the reader pointed at. */
  constructor(onMark: (offset: number) => void) {
    this.#onMark = onMark;
    this.#listen();
    new ResizeObserver(() => this.#draw()).observe(this.#stage);
  }

  /** Shows a layout; the window stays where it was only if the slab is the same. */
  show(layout: SlabLayout): void {
    const before = this.#layout;
    this.#layout = layout;
    const same =
      before?.totalSlabBytes === layout.totalSlabBytes &&
      before.slotBytes === layout.slotBytes &&
      before.numStripes === layout.numStripes;
    if (!same) this.#window = layout.numSlots > 12 ? firstSlots(layout) : wholeSlab(layout);
    this.#draw();
  }

  /** Marks an offset, or none, and brings it into the window if it is not there. */
  mark(offset: number | undefined): void {
    this.#marked = offset;
    const layout = this.#layout;
    const { start, end } = this.#window;
    if (layout !== undefined && offset !== undefined && (offset < start || offset >= end)) {
      this.#window = clampWindow(layout, {
        start: offset - (end - start) / 2,
        end: offset + (end - start) / 2,
      });
    }
    this.#draw();
  }

  #listen(): void {
    const go = (id: string, to: (layout: SlabLayout, window: Window) => Window) =>
      byId(id, HTMLButtonElement).addEventListener('click', () => this.#move(to));
    go('scale-whole', wholeSlab);
    go('scale-first', firstSlots);
    go('scale-last', lastSlots);
    go('scale-in', (layout, window) => zoom(layout, window, 2, middle(window)));
    go('scale-out', (layout, window) => zoom(layout, window, 0.5, middle(window)));
    this.#zoomSlider.addEventListener('input', () =>
      this.#move((layout, window) => windowAtLevel(layout, window, Number(this.#zoomSlider.value) / STEPS)),
    );
    this.#positionSlider.addEventListener('input', () =>
      this.#move((layout, { start, end }) => {
        const room = wholeSlab(layout).end - (end - start);
        const from = (Number(this.#positionSlider.value) / STEPS) * room;
        return clampWindow(layout, { start: from, end: from + end - start });
      }),
    );
    this.#stage.addEventListener('keydown', (event) => this.#onKey(event));
    this.#stage.addEventListener('wheel', (event) => this.#onWheel(event), { passive: false });
    this.#listenToPointer();
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const keys: Readonly<Record<string, (layout: SlabLayout, window: Window) => Window>> = {
      ArrowLeft: (layout, window) => pan(layout, window, -0.1),
      ArrowRight: (layout, window) => pan(layout, window, 0.1),
      PageUp: (layout, window) => pan(layout, window, -0.9),
      PageDown: (layout, window) => pan(layout, window, 0.9),
      '+': (layout, window) => zoom(layout, window, 1.5, middle(window)),
      '=': (layout, window) => zoom(layout, window, 1.5, middle(window)),
      '-': (layout, window) => zoom(layout, window, 1 / 1.5, middle(window)),
      Home: wholeSlab,
    };
    const move = keys[event.key];
    if (move === undefined) return;
    event.preventDefault();
    this.#move(move);
  }

  /** Only with Ctrl, as on maps: a reader who scrolls past the drawing shall not be caught in it. */
  #onWheel(event: WheelEvent): void {
    if (!event.ctrlKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
    event.preventDefault();
    this.#move((layout, window) =>
      event.ctrlKey
        ? zoom(layout, window, event.deltaY < 0 ? 1.25 : 0.8, this.#offsetAt(event.clientX))
        : pan(layout, window, event.deltaX / this.#widthPx()),
    );
  }

  #listenToPointer(): void {
    let from: { readonly x: number; readonly window: Window } | undefined;
    this.#stage.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      from = { x: event.clientX, window: this.#window };
      this.#stage.setPointerCapture(event.pointerId);
    });
    this.#stage.addEventListener('pointermove', (event) => {
      const origin = from;
      if (origin === undefined || Math.abs(event.clientX - origin.x) < 4) return;
      this.#move((layout) => pan(layout, origin.window, (origin.x - event.clientX) / this.#widthPx()));
    });
    this.#stage.addEventListener('pointerup', (event) => {
      if (from !== undefined && Math.abs(event.clientX - from.x) < 4)
        this.#onMark(this.#offsetAt(event.clientX));
      from = undefined;
    });
    this.#stage.addEventListener('pointercancel', () => {
      from = undefined;
    });
  }

  #move(to: (layout: SlabLayout, window: Window) => Window): void {
    if (this.#layout === undefined) return;
    this.#window = to(this.#layout, this.#window);
    this.#draw();
  }

  #widthPx(): number {
    return Math.max(this.#stage.clientWidth, 1);
  }

  #offsetAt(clientX: number): number {
    const share = (clientX - this.#stage.getBoundingClientRect().left) / this.#widthPx();
    return Math.floor(this.#window.start + share * (this.#window.end - this.#window.start));
  }

  #draw(): void {
    const layout = this.#layout;
    if (layout === undefined) return;
    const widthPx = this.#widthPx();
    const { start, end } = this.#window;
    const xOf = (offset: number) => ((offset - start) / (end - start)) * widthPx;
    const picture = svg('svg', { width: widthPx, height: HEIGHT_PX, viewBox: `0 0 ${widthPx} ${HEIGHT_PX}` });
    picture.setAttribute('aria-hidden', 'true');
    picture.append(svg('g', {}, ...hatching()));
    for (const piece of piecesIn(layout, this.#window, widthPx)) {
      picture.append(...drawPiece(layout, piece, xOf(piece.start), xOf(piece.end)));
    }
    picture.append(...drawReach(layout, this.#window, xOf));
    picture.append(...drawMark(this.#marked, this.#window, xOf));
    this.#stage.replaceChildren(picture);
    this.#showRange(layout);
  }

  #showRange(layout: SlabLayout): void {
    const { start, end } = this.#window;
    const whole = wholeSlab(layout).end;
    const room = whole - (end - start);
    this.#zoomSlider.value = String(Math.round(zoomLevel(layout, this.#window) * STEPS));
    this.#positionSlider.value = String(room <= 0 ? 0 : Math.round((start / room) * STEPS));
    this.#positionSlider.disabled = room <= 0;
    this.#zoomSlider.setAttribute('aria-valuetext', `${formatBytes(end - start)} in view`);
    this.#positionSlider.setAttribute('aria-valuetext', `from offset ${formatHexBytes(start)}`);
    this.#range.textContent = `${formatBytes(end - start)} of ${formatBytes(layout.totalSlabBytes)} in view, from offset ${formatHexBytes(start)}`;
    const place =
      layout.totalSlabBytes === 0 ? '' : describeLocation(locate(layout, Math.floor((start + end) / 2)));
    this.#stage.setAttribute(
      'aria-label',
      `The slab to scale, ${this.#range.textContent}. In the middle: ${place}`,
    );
  }
}

function middle({ start, end }: Window): number {
  return (start + end) / 2;
}

function pan(layout: SlabLayout, { start, end }: Window, share: number): Window {
  const bytes = (end - start) * share;
  return clampWindow(layout, { start: start + bytes, end: end + bytes });
}

function hatching(): Element[] {
  const line = svg('line', { x1: 0, y1: 0, x2: 0, y2: 8, class: 'hatch' });
  const pattern = svg(
    'pattern',
    { id: 'scale-hatching', width: 8, height: 8, patternUnits: 'userSpaceOnUse' },
    line,
  );
  pattern.setAttribute('patternTransform', 'rotate(45)');
  return [svg('defs', {}, pattern)];
}

function drawPiece(layout: SlabLayout, piece: Piece, x: number, endX: number): Element[] {
  // A piece that is there is seen, however thin.
  const width = Math.max(endX - x, 0.75);
  const box = { x, y: BAND_Y, width, height: BAND_HEIGHT };
  switch (piece.kind) {
    case 'guard':
      return [
        svg('rect', { ...box, class: 'closed' }),
        svg('rect', { ...box, fill: 'url(#scale-hatching)' }),
        ...label('guard', piece.end - piece.start, x, width),
      ];
    case 'memory': {
      const colour = `stripe-${layout.stripeOf(piece.slot) % NUM_COLOURS}`;
      return [
        svg('rect', { ...box, class: colour }),
        ...label(`slot ${piece.slot}`, piece.end - piece.start, x, width),
      ];
    }
    case 'rest': {
      const colour = `stripe-${layout.stripeOf(piece.slot) % NUM_COLOURS}`;
      return [
        svg('rect', { ...box, class: 'closed' }),
        svg('rect', { ...box, class: `${colour} faint` }),
        svg('rect', { ...box, fill: 'url(#scale-hatching)' }),
      ];
    }
    case 'many':
      return drawMany(layout, piece, x, width);
  }
}

/** Slots too thin to see: as many vertical bands as there is room for, in the colours of the stripes. */
function drawMany(layout: SlabLayout, piece: Piece & { kind: 'many' }, x: number, width: number): Element[] {
  const numBands = Math.min(piece.lastSlot - piece.firstSlot + 1, Math.max(Math.floor(width / 3), 1));
  const bandWidth = width / numBands;
  const bands = Array.from({ length: numBands }, (_, band) =>
    svg('rect', {
      x: x + band * bandWidth,
      y: BAND_Y,
      width: Math.max(bandWidth - 0.5, 0.5),
      height: BAND_HEIGHT,
      class: `stripe-${(band % layout.numStripes) % NUM_COLOURS} thin`,
    }),
  );
  const text = `${(piece.lastSlot - piece.firstSlot + 1).toLocaleString('en')} slots, zoom in to see them`;
  if (text.length * CHARACTER_PX > width) return bands;
  const centre = x + width / 2;
  const plate = { x: centre - text.length * 4, y: BAND_Y + 24, width: text.length * 8, height: 28, rx: 6 };
  return [...bands, svg('rect', { ...plate, class: 'plate' }), textAt(text, centre, BAND_Y + 43, 'ink')];
}

function label(text: string, bytes: number, x: number, width: number): Element[] {
  const size = formatBytes(Math.round(bytes));
  const centre = x + width / 2;
  if (Math.max(text.length, size.length) * CHARACTER_PX + 6 > width) {
    const bare = text.replace('slot ', '');
    return bare !== text && bare.length * CHARACTER_PX + 4 <= width
      ? [textAt(bare, centre, BAND_Y + 43, 'on-fill')]
      : [];
  }
  const colour = text === 'guard' ? 'on-hatch' : 'on-fill';
  return [textAt(text, centre, BAND_Y + 35, `${colour} strong`), textAt(size, centre, BAND_Y + 54, colour)];
}

/** Under the band: how far compiled code of the first slot in view may reach. */
function drawReach(layout: SlabLayout, window: Window, xOf: (offset: number) => number): Element[] {
  const { preSlabGuardBytes, slotBytes, numSlots, bytesToNextStripeSlot } = layout;
  if (numSlots === 0 || slotBytes === 0) return [];
  const first = Math.min(
    Math.max(Math.ceil((window.start - preSlabGuardBytes) / slotBytes), 0),
    numSlots - 1,
  );
  const start = layout.slotOffset(first);
  const end = Math.min(start + bytesToNextStripeSlot, layout.totalSlabBytes);
  const left = xOf(start);
  const right = Math.min(xOf(end), xOf(window.end));
  const text = `what a guest of slot ${first} meets: ${formatBytes(bytesToNextStripeSlot)}, no other memory that is open to it`;
  const short = `slot ${first}: ${formatBytes(bytesToNextStripeSlot)} to itself`;
  const room = xOf(window.end) - Math.max(left, 0);
  const shown =
    text.length * CHARACTER_PX < room ? text : short.length * CHARACTER_PX < room ? short : undefined;
  if (right - left < 12 || shown === undefined) return [];
  const y = BAND_Y + BAND_HEIGHT + 10;
  const closed = end <= window.end ? `V${y - 5}` : '';
  return [
    svg('path', { d: `M${left + 1} ${y - 5}V${y}H${right - 1}${closed}`, class: 'bracket' }),
    textAt(shown, Math.max(left, 0) + 4, y + 18, 'muted', 'start'),
  ];
}

function drawMark(marked: number | undefined, window: Window, xOf: (offset: number) => number): Element[] {
  if (marked === undefined || marked < window.start || marked >= window.end) return [];
  const x = xOf(marked);
  return [
    svg('path', { d: `M${x} ${BAND_Y - 2}V${BAND_Y + BAND_HEIGHT + 2}`, class: 'mark' }),
    svg('path', { d: `M${x} ${BAND_Y - 2}l-7 -12h14z`, class: 'mark-head' }),
  ];
}

function textAt(text: string, x: number, y: number, className: string, anchor = 'middle'): Element {
  const element = svg('text', { x, y, class: className, 'text-anchor': anchor });
  element.textContent = text;
  return element;
}
