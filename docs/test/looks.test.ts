/** What the pages look like, in a real browser: nothing that axe complains of, nothing wider than the window; in CI, pictures. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { laps, sampled } from '@guardstripe/test-support';
import { expect, it } from 'vitest';
import { describeSite, DESKTOP, STRIPED_PLANNER } from './support/browser.js';

const SCREENSHOTS = join(import.meta.dirname, '..', 'out', 'screenshots');
const PHONE = { width: 360, height: 780 };

/** What axe, once it is in the page, finds, one line each. It may not load style sheets anew: from files that is forbidden. */
const violations = (page: Page) =>
  page.evaluate<string[]>(
    `axe.run({ preload: false }).then(({ violations }) =>
      violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => [id, target, failureSummary].join(' '))))`,
  );

/** How far the page is wider than its window. */
const overflowPx = (page: Page) =>
  page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');

const LOOKS = [
  { device: 'phone', colorScheme: 'light' },
  { device: 'desktop', colorScheme: 'dark' },
  { device: 'phone', colorScheme: 'dark' },
  { device: 'desktop', colorScheme: 'light' },
] as const;
const VIEWPORTS = { phone: PHONE, desktop: DESKTOP };
/** Of each page. In CI it is looked at in all ways; else in one, and another page in the next. */
const NUM_LOOKS = Math.min(laps(LOOKS.length, 1), LOOKS.length);
/** For people to look at. */
const PICTURES = laps(1, 0) > 0;
const looksOf = (at: number) => Array.from({ length: NUM_LOOKS }, (_, n) => LOOKS[(at + n) % LOOKS.length]!);

const PAGES = [
  ['planner', STRIPED_PLANNER],
  ['planner-small-host', 'planner/index.html#addressBits=39'],
  ['planner-mistake', 'planner/index.html#memoryGuardSize=much'],
  ['home', 'index.html'],
  ['guides', 'guides/index.html'],
  ['troubleshooting', 'guides/troubleshooting.html'],
  ['coming-from-wasmtime', 'guides/coming-from-wasmtime.html'],
  ['performance', 'guides/performance.html'],
] as const;

describeSite('the pages in Chromium', (open) => {
  it.each(sampled(PAGES.map(([name, path], at) => ({ name, path, looks: looksOf(at) }))))(
    'is accessible and fits its window, in light and dark, on phone and desktop: $name',
    async ({ name, path, looks }) => {
      if (PICTURES) mkdirSync(SCREENSHOTS, { recursive: true });
      await using opened = await open(path, PHONE);
      const { page, complaints } = opened;
      await page.addScriptTag({ content: axe.source });
      for (const { device, colorScheme } of looks) {
        await page.setViewportSize(VIEWPORTS[device]);
        await page.emulateMedia({ colorScheme });
        const look = `${name}-${device}-${colorScheme}`;
        if (PICTURES) await page.screenshot({ path: join(SCREENSHOTS, `${look}.png`), fullPage: true });
        expect(await overflowPx(page), look).toBe(0);
        expect(await violations(page), look).toEqual([]);
      }
      expect(complaints).toEqual([]);
    },
  );
});
