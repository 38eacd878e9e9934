/** Builds the site once for all test files. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { buildSite } from '../../build.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder that it is in. Not to be written to. */
    site: string;
  }
}

export default async function setup(project: TestProject): Promise<() => void> {
  const site = mkdtempSync(join(tmpdir(), 'guardstripe-site-'));
  await buildSite(site);
  project.provide('site', site);
  return () => rmSync(site, { recursive: true, force: true });
}
