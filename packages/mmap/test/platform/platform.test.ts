import { describe, expect, it } from 'vitest';

import { platform, UnsupportedPlatformError } from '../../src/index.js';
import { choose } from '../../src/platform/platform.js';
import { fixtureJson } from '../support/child.js';

describe('platform', () => {
  it('is one object', () => {
    expect(platform()).toBe(platform());
  });

  it.each([
    ['darwin', 'arm64'],
    ['win32', 'x64'],
    ['linux', 'ia32'],
    ['linux', 'mips64el'],
  ])('says that %s %s is not supported', (name, arch) => {
    expect(() => choose(name, arch)).toThrow(UnsupportedPlatformError);
    expect(() => choose(name, arch)).toThrow(
      expect.objectContaining({
        code: 'ERR_UNSUPPORTED_PLATFORM',
        message: expect.stringContaining(`${name} ${arch}`) as string,
      }) as Error,
    );
  });
});

describe("under Node's permission model", () => {
  it('the package loads without native add-ons, and says what is missing', () => {
    const codes = fixtureJson('no-addons.mjs', [], ['--permission', '--allow-fs-read=*']) as string[];
    expect(codes).toHaveLength(2);
    for (const code of codes) expect(code).toMatch(/^ERR_FFI_UNAVAILABLE: .*--allow-addons/);
  });
});
