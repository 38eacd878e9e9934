/**
 * Builds the site but for the API pages, which typedoc makes: `node build.ts` writes into `dist/`. Run the packages' build
 * before, for the planner page contains the published bundle of `@guardstripe/layout`.
 *
 *   dist/index.html   guides/*.html   planner/index.html, planner.js, planner.css   site.css   api/ (typedoc)
 */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { findCodeBlocks } from './site/code-blocks.ts';
import { findDeadLinks } from './site/dead-links.ts';
import { findErrorCodes } from './site/error-codes.ts';
import { readGuides, type Guide } from './site/guides.ts';
import { homeBody } from './site/home.ts';
import { escapeHtml, renderPage } from './site/page.ts';

const docs = import.meta.dirname;

/** Writes the site into a folder, which is made if it is not there. */
export async function buildSite(outFolder: string): Promise<void> {
  for (const folder of ['guides', 'planner']) mkdirSync(join(outFolder, folder), { recursive: true });
  const write = (path: string, text: string) => writeFileSync(join(outFolder, path), text);
  const root = join(docs, '..');
  const guides = readGuides(join(docs, 'guides'), findErrorCodes(root));

  cpSync(join(docs, 'site', 'site.css'), join(outFolder, 'site.css'));
  write('index.html', renderPage({ ...HOME, body: homeBody(guides, firstExample(root)) }));
  write('guides/index.html', renderPage({ ...GUIDES, body: guideListBody(guides) }));
  for (const { name, title, summary, body } of guides) {
    write(
      `guides/${name}.html`,
      renderPage({ title, description: summary, body, root: '../', section: 'guides' }),
    );
  }
  await buildPlanner(outFolder);
}

/** The README's, for that one is run by a test. */
function firstExample(root: string): string {
  const example = findCodeBlocks(root).find(
    ({ page, language }) => page === 'README.md' && language === 'ts',
  );
  if (example === undefined) throw new Error('The README has no example');
  return example.code;
}

const HOME = {
  title: 'Guardstripe',
  description: 'The memory pool of server-side WebAssembly runtimes, for Node.js',
  root: '',
  section: 'home',
} as const;

const GUIDES = {
  title: 'Guides',
  description: 'Guides to Guardstripe',
  root: '../',
  section: 'guides',
} as const;

const PLANNER = {
  title: 'Slab planner',
  description: 'How many WebAssembly memories fit a machine, what bounds them, and what to change',
  root: '../',
  section: 'planner',
  head: '<link rel="stylesheet" href="planner.css">\n<script defer src="planner.js"></script>\n',
} as const;

function guideListBody(guides: readonly Guide[]): string {
  const cards = guides.map(
    ({ name, title, summary }) =>
      `<li><a href="${name}.html">${escapeHtml(title)}</a><p>${escapeHtml(summary)}</p></li>`,
  );
  return `<h1>Guides</h1>\n<ul class="cards">\n${cards.join('\n')}\n</ul>`;
}

async function buildPlanner(outFolder: string): Promise<void> {
  const body = readFileSync(join(docs, 'planner', 'index.html'), 'utf8');
  writeFileSync(join(outFolder, 'planner', 'index.html'), renderPage({ ...PLANNER, body }));
  cpSync(join(docs, 'planner', 'planner.css'), join(outFolder, 'planner', 'planner.css'));
  await build({
    entryPoints: [join(docs, 'planner', 'planner.ts')],
    outfile: join(outFolder, 'planner', 'planner.js'),
    bundle: true,
    // A classic script: browsers load no modules from file://.
    format: 'iife',
    target: 'es2023',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
}

if (import.meta.main) {
  const site = join(docs, 'dist');
  await buildSite(site);
  // Without typedoc's pages the links to them are dead, and nothing can be said.
  const dead = existsSync(join(site, 'api')) ? findDeadLinks(site) : [];
  if (dead.length > 0) throw new Error(`The site has dead links:\n${dead.join('\n')}`);
}
