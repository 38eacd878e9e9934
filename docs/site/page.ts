/** The frame that every page of the site has. Plain HTML with relative links, so that it works from files as well. */

/** What a page is made of. */
export interface Page {
  readonly title: string;
  /** One sentence for search engines. */
  readonly description: string;
  /** HTML of the page's own. */
  readonly body: string;
  /** Path from the page to the site's root: `''` or `'../'`. */
  readonly root: string;
  /** Which entry of the navigation the page belongs to. */
  readonly section: 'home' | 'guides' | 'planner';
  /** Elements for the head: further style sheets and scripts. */
  readonly head?: string;
}

/** The parts of the site: their names here, the paths of their first pages, and what the reader sees. */
export const NAVIGATION = [
  ['home', 'index.html', 'Home'],
  ['guides', 'guides/index.html', 'Guides'],
  ['planner', 'planner/index.html', 'Slab planner'],
  ['api', 'api/index.html', 'API'],
] as const;

/** The page as a document. */
export function renderPage(page: Page): string {
  const { title, description, body, root, section, head = '' } = page;
  const links = NAVIGATION.map(([id, path, label]) => {
    const current = id === section ? ' aria-current="page"' : '';
    return `<a href="${root}${path}"${current}>${label}</a>`;
  });
  const fullTitle = section === 'home' ? title : `${title} – Guardstripe`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="${escapeHtml(description)}">
<title>${escapeHtml(fullTitle)}</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(ICON)}">
<link rel="stylesheet" href="${root}site.css">
${head}</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<a class="brand" href="${root}index.html"><span class="mark" aria-hidden="true"><i></i><i></i><i></i><i></i></span>Guardstripe</a>
<nav aria-label="Site">${links.join('')}</nav>
</header>
<main id="main" class="${section}">
${body}
</main>
<footer><p>Guardstripe, Apache-2.0. <a href="https://github.com/guardstripe/guardstripe">Source</a></p></footer>
</body>
</html>
`;
}

const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#6db0f4" d="M1 2h3v12H1z"/><path fill="#fdaf88" d="M5 2h3v12H5z"/><path fill="#26c0cf" d="M9 2h3v12H9z"/><path fill="#8b98a8" d="M13 2h2v12h-2z"/></svg>';

/** Text as the content or an attribute of an element. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
