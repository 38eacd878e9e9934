/** Guides: Markdown to HTML, with a table of contents and anchors, and for error codes where they come from. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Marked, type Tokens } from 'marked';
import type { ErrorSource } from './error-codes.ts';
import { errorOriginHtml } from './error-origin.ts';
import { escapeHtml } from './page.ts';

/** A guide, rendered. */
export interface Guide {
  /** File name without ending, the same in the site. */
  readonly name: string;
  readonly title: string;
  /** The first paragraph, as plain text. */
  readonly summary: string;
  readonly body: string;
}

/** The order of the guides on their page; others follow by name. */
const ORDER = [
  'getting-started',
  'fresh-webassembly-instances',
  'sizing-a-pool',
  'images-and-reset',
  'views-and-how-long-they-live',
  'many-threads',
  'isolation-with-protection-keys',
  'native-guests',
  'performance',
  'coming-from-wasmtime',
  'coming-from-webassembly-memory',
  'coming-from-mmap-io',
  'where-it-runs',
  'how-it-is-tested',
  'what-it-does-not-protect-against',
  'troubleshooting',
];

const rank = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);

/** Reads and renders every guide. */
export function readGuides(folder: string, errorCodes: ReadonlyMap<string, ErrorSource>): Guide[] {
  return globSync('*.md', { cwd: folder })
    .map((file) => renderGuide(basename(file, '.md'), readFileSync(join(folder, file), 'utf8'), errorCodes))
    .toSorted((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : 1));
}

function renderGuide(name: string, markdown: string, errorCodes: ReadonlyMap<string, ErrorSource>): Guide {
  const contents: { readonly id: string; readonly html: string }[] = [];
  const marked = new Marked({ gfm: true });
  marked.use({
    renderer: {
      heading({ tokens, depth, text }: Tokens.Heading): string {
        const html = this.parser.parseInline(tokens);
        const id = slug(text);
        if (depth === 2) contents.push({ id, html });
        const origin = errorOriginHtml(errorCodes.get(text.replaceAll('`', '')));
        const anchor =
          depth === 1 ? '' : ` <a class="anchor" href="#${id}" aria-label="Link to this section">#</a>`;
        return `<h${depth} id="${id}">${html}${anchor}</h${depth}>\n${origin}`;
      },
      // Blocks and tables may be wider than a phone: they scroll by themselves, and by keyboard.
      code({ text, lang = 'text' }: Tokens.Code): string {
        return `<pre tabindex="0" data-language="${escapeHtml(lang)}"><code>${escapeHtml(text)}\n</code></pre>\n`;
      },
      table(token: Tokens.Table): string {
        const row = (cells: Tokens.TableCell[], tag: string) =>
          `<tr>${cells.map(({ tokens }) => `<${tag}>${this.parser.parseInline(tokens)}</${tag}>`).join('')}</tr>`;
        const rows = token.rows.map((cells) => row(cells, 'td')).join('\n');
        return `<div class="table" tabindex="0" role="group" aria-label="Table"><table><thead>${row(token.header, 'th')}</thead>\n<tbody>${rows}</tbody></table></div>\n`;
      },
      link({ href, tokens }: Tokens.Link): string {
        return `<a href="${escapeHtml(siteHref(href))}">${this.parser.parseInline(tokens)}</a>`;
      },
    },
  });
  const html = marked.parse(markdown, { async: false });
  const [heading, rest] = splitAfterTitle(html);
  const list = contents.map((entry) => `<li><a href="#${entry.id}">${entry.html}</a></li>`).join('');
  const toc =
    contents.length < 3 ? '' : `<nav class="toc" aria-label="On this page"><ol>${list}</ol></nav>\n`;
  return {
    name,
    title: /^# (.+)$/m.exec(markdown)?.[1]?.replaceAll('`', '') ?? name,
    summary: summaryOf(markdown),
    body: `${heading}${toc}${rest}`,
  };
}

/** Longer summaries end with their first sentence. */
const SUMMARY_CHARS = 150;

/** The first sentences below the title, without marks, as many as make a short text. */
function summaryOf(markdown: string): string {
  const paragraph = /^# .+\n+((?:.+\n)+)/m.exec(markdown)?.[1] ?? '';
  const text = paragraph
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[`*_]/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  let summary = '';
  for (const sentence of text.split(/(?<=[.:]) (?=[A-Z])/)) {
    // What follows a sentence that was left out may speak of it.
    if (summary !== '' && summary.length + sentence.length >= SUMMARY_CHARS) break;
    summary = `${summary} ${sentence}`.trim();
  }
  return summary;
}

function splitAfterTitle(html: string): [string, string] {
  const end = html.indexOf('</h1>') + '</h1>'.length;
  return html.startsWith('<h1') ? [html.slice(0, end), html.slice(end)] : ['', html];
}

/** Links between guides are written as the repository has them, and lead to the pages of the site. */
function siteHref(href: string): string {
  if (/^[a-z]+:/i.test(href)) return href;
  return href
    .replace(/^\.\.\/planner\/?(?=#|$)/, '../planner/index.html')
    .replace(/^(?:\.\/)?([\w-]+)\.md(?=#|$)/, '$1.html')
    .replace(/^\.\.\/\.\.\/(.+)$/, 'https://github.com/guardstripe/guardstripe/blob/main/$1');
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .trim()
    .replaceAll(/\s+/g, '-');
}
