import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findExamples } from './readme-examples.js';

const docs = join(import.meta.dirname, '..');
const scratch = join(docs, 'out', 'examples');
const examples = findExamples(join(docs, '..'));

beforeAll(() => mkdirSync(scratch, { recursive: true }));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('the examples in the documentation', () => {
  it('are found', () => {
    expect(examples.length).toBeGreaterThan(3);
  });

  it.each(examples)('runs as it stands: $where', ({ where, code }) => {
    const file = join(scratch, `${where.replaceAll(/\W+/g, '-')}.ts`);
    writeFileSync(file, code);
    // A thrown error, a failed assertion or a crash fails the test with what the program printed.
    execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', file], { encoding: 'utf8' });
  });
});
