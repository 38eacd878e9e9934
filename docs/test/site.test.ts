import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildSite } from '../build.js';
import { findCodeBlocks } from '../site/code-blocks.js';
import { findDeadLinks } from '../site/dead-links.js';
import { escapeHtml } from '../site/page.js';

const site = mkdtempSync(join(tmpdir(), 'guardstripe-site-'));
beforeAll(() => buildSite(site));
afterAll(() => rmSync(site, { recursive: true, force: true }));

describe('the built site', () => {
  it('has a page for every guide', () => {
    const guides = globSync('*.md', { cwd: join(import.meta.dirname, '..', 'guides') });
    for (const guide of guides) {
      expect(existsSync(join(site, 'guides', guide.replace(/md$/, 'html'))), guide).toBe(true);
    }
  });

  it('has no dead link or anchor of its own', () => {
    // The API pages are typedoc's, and are not there yet: the build itself looks after those.
    expect(findDeadLinks(site).filter((link) => !/-> (?:\.\.\/)*api\//.test(link))).toEqual([]);
  });

  it('finds a dead link and a dead anchor', () => {
    const page = join(site, 'dead.html');
    writeFileSync(page, '<a href="index.html">a</a><a href="no.html">b</a><a href="index.html#no">c</a>');
    expect(findDeadLinks(site)).toEqual(
      expect.arrayContaining(['dead.html -> no.html', 'dead.html -> index.html#no']),
    );
    expect(findDeadLinks(site)).not.toContain('dead.html -> index.html');
    rmSync(page);
  });

  it('says where an error code comes from', () => {
    const html = readFileSync(join(site, 'guides', 'troubleshooting.html'), 'utf8');
    expect(html).toMatch(
      /id="err_pool_busy"[\s\S]{0,200}_guardstripe_memory-pool\.PoolBusyError\.html"[\s\S]{0,200}The pool has live memories/,
    );
    expect(html).toMatch(/id="err_view_not_transferable"[\s\S]{0,200}In <code>@guardstripe\/mmap<\/code>/);
  });

  it('shows the first example of the README, which is run', () => {
    const first = findCodeBlocks(join(import.meta.dirname, '..', '..')).find(
      ({ page, language }) => page === 'README.md' && language === 'ts',
    );
    expect(readFileSync(join(site, 'index.html'), 'utf8')).toContain(escapeHtml(first?.code ?? 'none'));
  });

  it('asks no other host for anything', () => {
    for (const file of globSync('**/*.{html,css}', { cwd: site })) {
      const text = readFileSync(join(site, file), 'utf8');
      expect(text, file).not.toMatch(/(?:src=|url\(|@import|<link[^>]*href=)["']?https?:/);
    }
  });
});
