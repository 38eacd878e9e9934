/** Finds links and anchors that lead nowhere in a built site. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** One line for each dead link: the page, and what it points to. Links to other hosts are not followed. */
export function findDeadLinks(site: string): string[] {
  return globSync('**/*.html', { cwd: site })
    .toSorted()
    .flatMap((page) =>
      linksIn(readFileSync(join(site, page), 'utf8'))
        .filter((link) => !leadsSomewhere(site, page, link))
        .map((link) => `${page} -> ${link}`),
    );
}

function linksIn(html: string): string[] {
  const links = [...html.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, link = '']) => link);
  return [...new Set(links)].filter((link) => !/^[a-z]+:/.test(link));
}

function leadsSomewhere(site: string, page: string, link: string): boolean {
  const [path = '', anchor = ''] = link.split('#');
  const file = path === '' ? join(site, page) : join(site, dirname(page), path);
  return existsSync(file) && (anchor === '' || readFileSync(file, 'utf8').includes(`id="${anchor}"`));
}
