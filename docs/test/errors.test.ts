import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findEntries, findErrorCodes } from '../site/error-codes.js';

const root = join(import.meta.dirname, '..', '..');
const codes = findErrorCodes(root);
const entries = findEntries(readFileSync(join(root, 'docs', 'guides', 'troubleshooting.md'), 'utf8'));

describe('the guide to the error codes', () => {
  it('reads the codes from the sources, with the classes that carry them', () => {
    expect(codes.get('ERR_POOL_BUSY')).toEqual({
      packages: ['@guardstripe/memory-pool'],
      classes: [
        {
          name: 'PoolBusyError',
          packageName: '@guardstripe/memory-pool',
          meaning: 'The pool has live memories and was not told to drop them.',
        },
      ],
    });
    expect(codes.get('ERR_OUT_OF_RANGE')?.packages.length).toBeGreaterThan(3);
  });

  it('finds every exported class of errors', () => {
    const found = [...codes.values()].flatMap(({ classes }) => classes.map(({ name }) => name));
    const exported = ['index-allocator', 'layout', 'memory-pool', 'mmap', 'mpk', 'snapshot'].flatMap(
      (name) => {
        const index = readFileSync(join(root, 'packages', name, 'src', 'index.ts'), 'utf8');
        return index.match(/\b[A-Z]\w*Error\b/g) ?? [];
      },
    );
    // Its codes are the system's own.
    const withCode = exported.filter((name) => name !== 'SystemError');
    expect(found.toSorted()).toEqual(withCode.toSorted());
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
