import { describe, expect, it } from 'vitest';

import { isSupported, supportReason } from '../src/index.js';
import { fixtureJson } from './support/child.js';

const PERMISSIONS = ['--permission', '--allow-fs-read=*'];
const no = (reason: string) => ({ supported: false, reason: expect.stringContaining(reason) as string });

describe('isSupported and supportReason', () => {
  it('say yes here', () => {
    expect([isSupported(), supportReason()]).toEqual([true, undefined]);
    expect(fixtureJson('support.mjs')).toEqual({ supported: true });
  });

  it.each([
    ['darwin', 'arm64'],
    ['win32', 'x64'],
    ['linux', 'ppc64'],
  ])('say that it is %s on %s', (platform, arch) => {
    expect(fixtureJson('support.mjs', [platform, arch])).toEqual(no(`not on ${platform} ${arch}`));
  });

  it('say what a permission is missing', () => {
    expect(fixtureJson('support.mjs', [], PERMISSIONS)).toEqual(no('--allow-addons'));
    expect(fixtureJson('support.mjs', [], [...PERMISSIONS, '--allow-addons'])).toEqual({ supported: true });
  });
});
