/** A real Chromium for the tests of the pages, or the reason why there is none. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type Page } from 'playwright-core';

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

/** What the reader's device is like. */
export interface Device {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: 'light' | 'dark';
}

/** A browser with a profile of its own, gone when it is disposed. Offline: what the pages need they have. */
export async function openBrowser(
  device: Device = {},
): Promise<AsyncDisposable & { readonly page: Page; readonly complaints: string[] }> {
  const profile = mkdtempSync(join(tmpdir(), 'guardstripe-chromium-'));
  const { width = 1280, height = 900, colorScheme = 'light' } = device;
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath,
    args: ARGUMENTS,
    viewport: { width, height },
    colorScheme,
    reducedMotion: 'reduce',
    offline: true,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`));
  return {
    page,
    complaints,
    async [Symbol.asyncDispose]() {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
