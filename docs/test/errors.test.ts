import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findEntries, findErrorCodes } from '../site/error-codes.js';

const root = join(import.meta.dirname, '..', '..');
const codes = findErrorCodes(root);
const entries = findEntries(readFileSync(join(root, 'docs', 'guides', 'troubleshooting.md'), 'utf8'));

describe('the guide to the error codes', () => {
  it('reads the codes from the sources', () => {
    expect(codes.get('ERR_POOL_BUSY')).toEqual(['@guardstripe/memory-pool']);
    expect(codes.get('ERR_OUT_OF_RANGE')?.length).toBeGreaterThan(3);
  });

  it.each([...codes.keys()])('has an entry for %s', (code) => {
    expect(entries, `docs/guides/troubleshooting.md wants a heading of nothing but \`${code}\``).toContain(
      code,
    );
  });

  it('has its entries in order, each once', () => {
    expect(entries).toEqual([...new Set(entries)].toSorted());
  });
});
