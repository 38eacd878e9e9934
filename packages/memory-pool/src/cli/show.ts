/** The doctor's report as lines for a person. */
// As a whole: an older Node.js has not all of it, and must come as far as saying so.
import * as util from 'node:util';
import type { Finding, Report } from './examine.js';

/** How text is marked; a pipe and a file get it as it is. */
export interface Style {
  readonly mark: (as: Finding['state'] | 'bold', text: string) => string;
}

const FORMATS = { ok: 'green', note: 'yellow', fix: 'red', bold: 'bold' } as const;

/** Colours for a terminal, where `NO_COLOR` and its like allow it. */
export function styleOf(stream: NodeJS.WriteStream): Style {
  const hasColors = stream.isTTY && stream.hasColors();
  return {
    mark: (as, text) => (hasColors ? util.styleText(FORMATS[as], text, { validateStream: false }) : text),
  };
}

/** All of it: the findings, what to change, and what it comes to. */
export function showReport(report: Report, style: Style): string {
  const { facts, findings, works, defaultPool } = report;
  const { kernelRelease, arch, nodeVersion } = facts;
  const subjectChars = Math.max(...findings.map(({ subject }) => subject.length));
  const lines = findings.flatMap(({ state, subject, found, effect }) => [
    `${style.mark(state, state.padEnd(4))}  ${subject.padEnd(subjectChars)}  ${found}`,
    `      ${' '.repeat(subjectChars)}  ${effect}`,
  ]);
  const advice = findings.flatMap(({ subject, advice: text }) =>
    text === undefined ? [] : [`  ${subject}: ${text}`],
  );
  const verdict = works
    ? `${style.mark('ok', 'A pool with the default settings works here')}: ${defaultPool.liveMemories.toLocaleString('en-US')} memories at once${defaultPool.fits ? '' : ', not all of its 1,000'}.`
    : style.mark('fix', 'A pool with the default settings cannot be made here.');
  return [
    style.mark('bold', `Linux ${kernelRelease} on ${arch}, Node.js ${nodeVersion}`),
    '',
    ...lines,
    '',
    ...(advice.length === 0 ? [] : [style.mark('bold', 'To do better'), ...advice, '']),
    verdict,
    '',
  ].join('\n');
}
