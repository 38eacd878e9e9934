/** Colours of the SVG picture, for both colour schemes, as one style sheet. */

/** Which colour scheme the picture is for; `'auto'` asks the reader's. */
export type SvgTheme = 'auto' | 'light' | 'dark';

interface Palette {
  readonly paper: string;
  readonly ink: string;
  readonly muted: string;
  readonly line: string;
  readonly closed: string;
  readonly hatch: string;
  readonly card: string;
}

const LIGHT: Palette = {
  paper: '#ffffff',
  ink: '#1b2430',
  muted: '#586473',
  line: '#8b98a8',
  closed: '#eef1f5',
  hatch: '#b5bfcb',
  card: '#f4f6f9',
};

const DARK: Palette = {
  paper: '#12171e',
  ink: '#e8edf3',
  muted: '#9fabb9',
  line: '#74818f',
  closed: '#1e2630',
  hatch: '#46525f',
  card: '#1a212a',
};

/**
 * Fills of the stripes: equally bright in OKLCH, apart from a step between even and odd ones, with hues that jump, so
 * that neighbours differ for every eye. Dark text reads on all of them, and they stand out from both papers.
 */
const STRIPE_FILLS = [
  '#6db0f4',
  '#fdaf88',
  '#26c0cf',
  '#fea7be',
  '#5dc291',
  '#e4abf7',
  '#a8b455',
  '#b1c1fc',
  '#db9d4f',
  '#69d3fe',
  '#ed8c84',
  '#57ddcb',
  '#dd8cc3',
  '#9ed789',
  '#b09bee',
  '#dfc262',
] as const;

/** The fill of a stripe; colours come round again after sixteen. */
export function stripeFill(stripe: number): string {
  return STRIPE_FILLS[stripe % STRIPE_FILLS.length] ?? STRIPE_FILLS[0];
}

/** The style sheet. Every class begins with the prefix, for a style in an inline SVG holds for the whole page. */
export function styleSheet(prefix: string, theme: SvgTheme): string {
  const fixed = [
    `.${prefix}-text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;font-size:13px}`,
    `.${prefix}-head{font-size:22px;font-weight:600}`,
    `.${prefix}-value{font-size:18px;font-weight:600}`,
    `.${prefix}-small{font-size:12px}`,
    `.${prefix}-on-fill{fill:#10161d}`,
    `.${prefix}-on-hatch{paint-order:stroke;stroke-width:6px;stroke-linejoin:round}`,
    `.${prefix}-veil{fill-opacity:.3}`,
  ];
  switch (theme) {
    case 'light':
      return [...fixed, ...themed(prefix, LIGHT)].join('\n');
    case 'dark':
      return [...fixed, ...themed(prefix, DARK)].join('\n');
    case 'auto': {
      const dark = themed(prefix, DARK).join('\n');
      return [...fixed, ...themed(prefix, LIGHT), `@media (prefers-color-scheme:dark){\n${dark}\n}`].join(
        '\n',
      );
    }
  }
}

function themed(prefix: string, palette: Palette): string[] {
  return [
    `.${prefix}-paper{fill:${palette.paper}}`,
    `.${prefix}-ink{fill:${palette.ink}}`,
    `.${prefix}-muted{fill:${palette.muted}}`,
    `.${prefix}-line{stroke:${palette.line};stroke-width:1;fill:none}`,
    `.${prefix}-empty{stroke:${palette.line};stroke-width:1;stroke-dasharray:4 4;fill:none}`,
    `.${prefix}-closed{fill:${palette.closed}}`,
    `.${prefix}-hatch{stroke:${palette.hatch};stroke-width:2}`,
    `.${prefix}-card{fill:${palette.card}}`,
    `.${prefix}-on-hatch{fill:${palette.ink};stroke:${palette.closed}}`,
  ];
}
