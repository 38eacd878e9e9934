/** Numbers as people read them; the same in every locale. */
import prettyBytes from 'pretty-bytes';

export function bytes(count: number): string {
  return prettyBytes(count, { binary: true, maximumFractionDigits: 2 });
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** A duration in the unit that suits it, from milliseconds. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1) return `${(milliseconds * 1000).toFixed(milliseconds < 0.01 ? 1 : 0)} µs`;
  if (milliseconds < 1000) return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

export function ratio(value: number): string {
  return Number.isNaN(value) ? '-' : `${value.toFixed(value < 10 ? 1 : 0)}x`;
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** One line, whatever an error's message holds. */
export function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

/** The middle of the sorted values: the lower of the two where their number is even. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}
