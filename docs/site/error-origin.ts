/** Below the heading of an error code: the classes that carry it, in their own words, and the packages that throw it. */
import { parseInline } from 'marked';
import { apiPage } from './api-page.ts';
import type { ErrorSource } from './error-codes.ts';

/** HTML for a code; nothing for a heading that is none. */
export function errorOriginHtml(source: ErrorSource | undefined): string {
  if (source === undefined) return '';
  const classes = source.classes.map(({ name, packageName, meaning }) => {
    const link = `<a href="../${apiPage(packageName, name)}"><code>${name}</code></a>`;
    return `${link} of <code>${packageName}</code>: ${parseInline(meaning, { async: false })}`;
  });
  const withClass = new Set(source.classes.map(({ packageName }) => packageName));
  const others = source.packages.filter((name) => !withClass.has(name));
  const rest = others.length === 0 ? [] : [`In ${others.map((name) => `<code>${name}</code>`).join(', ')}`];
  return `<p class="thrown-by">${[...classes, ...rest].join('<br>')}</p>\n`;
}
