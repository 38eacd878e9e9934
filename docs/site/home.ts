/** The front page. */
import type { Guide } from './guides.ts';
import { apiPage } from './api-page.ts';
import { escapeHtml } from './page.ts';

const PACKAGES = [
  ['snapshot', 'WebAssembly instances of V8 as new in microseconds: restore, fork, pool'],
  ['memory-pool', 'the pool: slots, images, stores, reset and reuse'],
  ['layout', 'pure slab calculator and planner; runs in a browser too'],
  ['index-allocator', 'slot allocator with module affinity, all its state in one typed array'],
  ['mmap', 'reserve, protect, map, decommit and view pages; sealed images'],
  ['mpk', 'memory protection keys'],
] as const;

/** The front page's own HTML. */
export function homeBody(guides: readonly Guide[], example: string): string {
  const packages = PACKAGES.map(
    ([name, what]) =>
      `<li><a href="${apiPage(`@guardstripe/${name}`)}"><code>@guardstripe/${name}</code></a><p>${what}</p></li>`,
  );
  const links = guides.map(
    ({ name, title, summary }) =>
      `<li><a href="guides/${name}.html">${escapeHtml(title)}</a><p>${escapeHtml(summary)}</p></li>`,
  );
  return `<section class="hero">
<h1>Thousands of isolated memories in one process</h1>
<p class="lead">Guardstripe is the memory pool of server-side WebAssembly runtimes, for Node.js: one reserved slab of address
space, many guarded slots, copy-on-write images, and a reset that takes microseconds.</p>
<p class="actions"><a class="button primary" href="guides/getting-started.html">Get started</a>
<a class="button" href="planner/index.html">Plan a slab</a> <a class="button" href="api/index.html">API</a></p>
<div class="strip" aria-hidden="true">${'<i></i>'.repeat(24)}</div>
</section>
<pre tabindex="0"><code>npm install @guardstripe/memory-pool
npx @guardstripe/memory-pool doctor   # what this machine offers, and what to change
npx @guardstripe/layout --this-host   # how many memories fit it
</code></pre>
<pre tabindex="0"><code>${escapeHtml(example)}</code></pre>
<h2>Guides</h2>
<ul class="cards">
${links.join('\n')}
</ul>
<h2>Packages</h2>
<p>Each is useful alone.</p>
<ul class="cards">
${packages.join('\n')}
</ul>`;
}
