import { expect, it } from 'vitest';

import { fixtureJson } from './support/child.js';

it('gives leaked resources back, keeps what a view still shows and the addresses it had, and warns once', () => {
  const result = fixtureJson('leak.mjs', [], ['--expose-gc']) as {
    warnings: { code: string; message: string }[];
  };
  expect(result).toMatchObject({
    warningsAfterClose: 0,
    keptByView: true,
    unmapped: true,
    fdClosed: true,
    pagesGoneAfterView: true,
    addressKept: true,
  });
  expect(result.warnings).toHaveLength(1);
  expect(result.warnings[0]?.code).toBe('GUARDSTRIPE_MMAP_LEAK');
  expect(result.warnings[0]?.message).toMatch(/garbage collected without close\(\); it was given back now/);
});

it('leaves alone what a close has given back that was cut short before it could say so', () => {
  const result = fixtureJson('cut-close.mjs', [], ['--expose-gc']);
  expect(result).toEqual({ code: 'ERR_SCRIPT_EXECUTION_TIMEOUT', unmaps: 1, warnings: [] });
});
