import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeObstacle } from '../src/index.js';

describe('the version of Node.js', () => {
  it.each(['22.12.0', '22.12.0-nightly', '22.13.1', '22.100.0', '23.0.0', '24.21.0', '100.0.0'])(
    '%s is enough',
    (version) => {
      expect(nodeObstacle(version)).toBeUndefined();
    },
  );

  it.each(['22.11.0', '22.9.9', '22.0.0', '21.99.0', '20.20.2', '18.20.8', '9.12.0', '0.12.18'])(
    '%s is too old',
    (version) => {
      expect(nodeObstacle(version)).toBe(`Node.js 22.12 or later is needed, and this is ${version}`);
    },
  );

  it('this one is enough', () => {
    expect(nodeObstacle()).toBeUndefined();
  });

  it('is what each package says in its manifest', () => {
    const packages = join(import.meta.dirname, '..', '..');
    const engines = readdirSync(packages).map((name) => {
      const manifest = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8')) as {
        private?: boolean;
        engines?: { node: string };
      };
      return manifest.private === true ? undefined : manifest.engines?.node;
    });
    expect(new Set(engines.filter((range) => range !== undefined))).toEqual(new Set(['>=22.12']));
    expect(nodeObstacle('0.1.0')).toContain('22.12 or later');
  });
});
