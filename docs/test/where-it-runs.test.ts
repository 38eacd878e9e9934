import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CASES } from '../../tools/runtimes/cases.js';

const page = readFileSync(join(import.meta.dirname, '..', 'guides', 'where-it-runs.md'), 'utf8');
const rows = [...page.matchAll(/^\| (.+?) +\| (yes|no) +\|/gm)].map(([, way, works]) => [way, works]);

describe('the page "Where it runs"', () => {
  it('says of each way that is tried what comes out, and of no other', () => {
    expect(rows).toEqual(CASES.map(({ name, fails }) => [name, fails === undefined ? 'yes' : 'no']));
  });
});
