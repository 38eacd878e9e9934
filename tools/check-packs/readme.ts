/** What a README must have to serve on npm's page, where nothing of the repository lies beside it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PackedPackage } from './packed-package.ts';

const HEADINGS = ['## Limits', '## Compatibility'];
const LAST_LINE_OF_FIRST_EXAMPLE_START = 30;
const CODE = /^```[\s\S]*?^```$|`[^`\n]*`/gm;
const LINK = /\]\(([^)\s]+)[^)]*\)|(?:src|href)="([^"]+)"/g;
const WORKS_ANYWHERE = /^(?:https:\/\/|#)/;

export function readmeProblems({ root, manifest }: PackedPackage): string[] {
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  const lines = text.split('\n');
  const problems: string[] = [];

  const example = lines.indexOf('```ts') + 1;
  if (example === 0 || example > LAST_LINE_OF_FIRST_EXAMPLE_START)
    problems.push(`its first example does not start by line ${LAST_LINE_OF_FIRST_EXAMPLE_START}`);
  if (!lines.some((line) => line.startsWith(`npm install ${manifest.name}`)))
    problems.push('it does not say how to install the package');
  for (const heading of HEADINGS) if (!lines.includes(heading)) problems.push(`it has no "${heading}"`);

  for (const [, link = '', attribute = link] of text.replaceAll(CODE, '').matchAll(LINK)) {
    if (!WORKS_ANYWHERE.test(attribute)) problems.push(`its link to ${attribute} is dead on npm`);
  }
  return problems.map((problem) => `README.md: ${problem}`);
}
