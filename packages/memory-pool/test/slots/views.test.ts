/**
 * Everything that may still use a memory's buffer when the memory is freed, each in a process of its own: the next tenants' bytes are
 * neither read nor written by it. With `unsafeBuffer` most of them would be, which shows that these tests can fail.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Mmap } from '@guardstripe/mmap';
import { sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import { SlotViews } from '../../src/slots/views.js';
import { OPERATIONS } from '../fixtures/views/operations.mjs';

const RUNNER = join(import.meta.dirname, '..', 'fixtures', 'views', 'run.mjs');

async function run(name: string, property: 'buffer' | 'unsafeBuffer'): Promise<Record<string, unknown>> {
  const child = spawn(process.execPath, [RUNNER, name, property], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const last = stdout.trim().split('\n').at(-1) ?? '';
  if (last === '') throw new Error(`${name} ended with ${child.signalCode ?? child.exitCode}: ${stderr}`);
  return JSON.parse(last) as Record<string, unknown>;
}

/** Those that are still at it when the memory was freed, and so would meet the next tenant. */
const PENDING = ['http: response.end(Buffer.from(buffer))', 'net: socket.end', 'fs.read', 'FileHandle.write'];

describe('what was started with a buffer meets no other tenant', () => {
  it.concurrent.each(sampled(Object.entries(OPERATIONS)))('%s', async (name, { left }) => {
    const result = await run(name, 'buffer');
    expect(result).toMatchObject({ reusedAtOnce: false, leaked: false, overwritten: false });
    expect(result).not.toHaveProperty('wrong');
    const isRetired = left === 'retired' || (left === 'either' && result['retiredMemories'] === 1);
    expect(result).toMatchObject(
      isRetired
        ? { retiredMemories: 1, end: 'withheld', warnings: ['GUARDSTRIPE_MEMORY_RETIRED'] }
        : { retiredMemories: 0, end: 'back', warnings: ['GUARDSTRIPE_POOL_COOLING'] },
    );
  });

  it.concurrent.each(sampled(PENDING))('with unsafeBuffer it would: %s', async (name) => {
    const { reusedAtOnce, leaked, overwritten } = await run(name, 'unsafeBuffer');
    expect(reusedAtOnce).toBe(true);
    expect([leaked, overwritten]).toContain(true);
  });

  it.concurrent('a stolen view retires its slot with unsafeBuffer, too', async () => {
    const result = await run('ArrayBuffer.prototype.transfer.call', 'unsafeBuffer');
    expect(result).toMatchObject({ reusedAtOnce: false, retiredMemories: 1, end: 'withheld' });
  });
});

it('a tenancy with a safe view does not move: its views stay as they are', () => {
  using map = Mmap.anonymous(65_536);
  const views = new SlotViews({}, () => undefined);
  const view = views.open(3, map.address, map.byteLength, true);
  expect(() => views.revokeUnsafe(3)).toThrow(expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }));
  expect(view.byteLength).toBe(65_536);
  expect(views.end(3)).not.toBe('stolen');
  expect(view.detached).toBe(true);
});
