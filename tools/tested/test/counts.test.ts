import { expect, it } from 'vitest';
import { countRun } from '../counts.js';

const report = (...files: readonly (readonly string[])[]) => ({
  startTime: Date.UTC(2026, 10, 26, 23, 59),
  testResults: files.map((states) => ({ assertionResults: states.map((status) => ({ status })) })),
});

it('counts files, tests that passed, and all others as skipped', () => {
  expect(countRun(report(['passed', 'skipped', 'passed'], ['todo'], ['passed', 'pending']))).toEqual({
    day: '2026-11-26',
    files: 3,
    passed: 3,
    skipped: 3,
  });
});

it('tells of no run in which a test failed', () => {
  expect(() => countRun(report(['passed'], ['failed', 'passed']))).toThrow('A test failed');
});
