/** What the pages look like, in a real browser: nothing that axe complains of, nothing wider than the window, and pictures. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
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

describeSite('the pages in Chromium', (open) => {
  it.each([
    ['planner', STRIPED_PLANNER],
    ['planner-small-host', 'planner/index.html#addressBits=39'],
    ['planner-mistake', 'planner/index.html#memoryGuardSize=much'],
    ['home', 'index.html'],
    ['guides', 'guides/index.html'],
    ['troubleshooting', 'guides/troubleshooting.html'],
    ['coming-from-wasmtime', 'guides/coming-from-wasmtime.html'],
    ['performance', 'guides/performance.html'],
  ])('is accessible and fits its window, in light and dark, on phone and desktop: %s', async (name, path) => {
    mkdirSync(SCREENSHOTS, { recursive: true });
    await using opened = await open(path, PHONE);
    const { page, complaints } = opened;
    await page.addScriptTag({ content: axe.source });
    for (const [device, viewport] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
      await page.setViewportSize(viewport);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        const look = `${name}-${device}-${colorScheme}`;
        await page.screenshot({ path: join(SCREENSHOTS, `${look}.png`), fullPage: true });
        expect(await overflowPx(page), look).toBe(0);
        expect(await violations(page), look).toEqual([]);
      }
    }
    expect(complaints).toEqual([]);
  });
});
