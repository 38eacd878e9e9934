/** A real Chromium for the tests of the pages, or the reason why there is none. */
import { existsSync } from 'node:fs';
import { chromium, type Browser, type Page } from 'playwright-core';

/** Debian's; another one by this environment variable. */
const executablePath = process.env['GUARDSTRIPE_CHROMIUM'] ?? '/usr/bin/chromium';

/** Whether the pages can be tested here. Where tests must not be skipped, the missing browser is an error. */
export function hasChromium(): boolean {
  if (existsSync(executablePath)) return true;
  const reason = `no Chromium at ${executablePath}: apt-get install --no-install-recommends chromium`;
  if (process.env['GUARDSTRIPE_FORBID_SKIPS'] === '1')
    throw new Error(`Tests must not be skipped, and there is ${reason}`);
  console.warn(`The pages are not tested: ${reason}`);
  return false;
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

export const DESKTOP = { width: 1280, height: 900 };

/** What the reader's device is like. */
export interface Device {
  /** @defaultValue {@link DESKTOP} */
  readonly viewport?: { readonly width: number; readonly height: number };
}

/** A browser with a profile of its own, which Playwright makes anew and removes. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath, args: ARGUMENTS });
}

/** A page, and everything it complained of so far. */
export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  readonly complaints: readonly string[];
}

/** A page without cookies, cache or history of others. Offline: what the site's pages need they have. */
export async function openPage(browser: Browser, url: string, device: Device = {}): Promise<OpenPage> {
  const { viewport = DESKTOP } = device;
  const context = await browser.newContext({ viewport, offline: true });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`));
  await page.goto(url);
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() };
}
