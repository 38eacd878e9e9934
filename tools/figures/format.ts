/** Figures as a person reads them, in Markdown. */

/** Two significant digits, in a unit that fits. */
export function time(ns: number): string {
  const [value, unit] = ns < 1e6 ? [ns / 1e3, 'µs'] : [ns / 1e6, 'ms'];
  return `${digits(value)} ${unit}`;
}

/** `19 times` */
export function times(ratio: number): string {
  return `${digits(ratio)} times`;
}

/** Two significant digits. */
export function digits(value: number): string {
  return String(Number(value.toPrecision(2)));
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map(() => '---');
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
