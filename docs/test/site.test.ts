import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildSite } from '../build.js';

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
    const dead: string[] = [];
    for (const file of globSync('**/*.html', { cwd: site })) {
      const html = readFileSync(join(site, file), 'utf8');
      for (const [, target = ''] of html.matchAll(/(?:href|src)="([^"]*)"/g)) {
        // The API pages are typedoc's; guides that are not written yet show as files of the repository.
        if (/^(?:[a-z]+:)/.test(target) || /(?:^|\/)api\//.test(target)) continue;
        const [path = '', anchor = ''] = target.split('#');
        const pointed = path === '' ? join(site, file) : join(site, dirname(file), path);
        if (!existsSync(pointed)) dead.push(`${file} -> ${target}`);
        else if (anchor !== '' && !readFileSync(pointed, 'utf8').includes(`id="${anchor}"`))
          dead.push(`${file} -> ${target}`);
      }
    }
    expect(dead).toEqual([]);
  });

  it('says where an error code comes from', () => {
    const html = readFileSync(join(site, 'guides', 'troubleshooting.html'), 'utf8');
    expect(html).toMatch(/id="err_pool_busy"[\s\S]{0,300}In <code>@guardstripe\/memory-pool<\/code>/);
  });

  it('asks no other host for anything', () => {
    for (const file of globSync('**/*.{html,css}', { cwd: site })) {
      const text = readFileSync(join(site, file), 'utf8');
      expect(text, file).not.toMatch(/(?:src=|url\(|@import|<link[^>]*href=)["']?https?:/);
    }
  });
});
