/** A real Chromium for the tests of the pages, or the reason why there is none. */
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, inject } from 'vitest';

/** Debian's; another one by this environment variable. */
const executablePath = process.env['GUARDSTRIPE_CHROMIUM'] ?? '/usr/bin/chromium';

declare module 'vitest' {
  interface TaskMeta {
    /** Why tests are skipped; the summary says it. */
    obstacle?: string | undefined;
  }
}

/** Why the pages cannot be tested here. Where tests must not be skipped, the missing browser is an error. */
function missingChromium(): string | undefined {
  if (existsSync(executablePath)) return undefined;
  const reason = `no Chromium at ${executablePath}: apt-get install --no-install-recommends chromium`;
  if (process.env['GUARDSTRIPE_FORBID_SKIPS'] === '1')
    throw new Error(`Tests must not be skipped, and there is ${reason}`);
  return reason;
}

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Pixels of a window. */
export interface WindowSize {
  readonly width: number;
  readonly height: number;
}

export const DESKTOP: WindowSize = { width: 1280, height: 900 };

/** The planner page with stripes to draw. */
export const STRIPED_PLANNER =
  'planner/index.html#maxMemorySize=256+MiB&protectionKeys=15&totalMemories=100000';

/** A page, and everything it complained of so far. */
export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  readonly complaints: readonly string[];
}

/** Opens a page of the site, by its path and what follows it. */
export type OpenInSite = (path: string, viewport?: WindowSize) => Promise<OpenPage>;

/** Tests of the site in a browser that has a profile of its own. */
export function describeSite(name: string, tests: (open: OpenInSite) => void): void {
  const obstacle = missingChromium();
  describe.skipIf(obstacle !== undefined)(name, { meta: { obstacle } }, () => {
    const site = pathToFileURL(inject('site')).href;
    let browser: Browser | undefined;
    let context: BrowserContext | undefined;
    beforeAll(async () => {
      browser = await chromium.launch({ executablePath, args: ARGUMENTS });
      // Offline: what the site's pages need they have.
      context = await browser.newContext({ offline: true });
    });
    afterAll(() => browser?.close());
    tests((path, viewport) => {
      if (context === undefined) throw new Error('Pages are opened in tests only');
      return openPage(context, `${site}/${path}`, viewport);
    });
  });
}

/** Pages of one file share cookies and cache, of which the site has none; a profile for each would cost more than most tests. */
async function openPage(context: BrowserContext, url: string, viewport = DESKTOP): Promise<OpenPage> {
  const page = await context.newPage();
  await page.setViewportSize(viewport);
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`));
  await page.goto(url);
  return { page, complaints, [Symbol.asyncDispose]: () => page.close() };
}
