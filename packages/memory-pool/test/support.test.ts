import { expect, it } from 'vitest';
import { isSupported, MemoryPool, supportReason } from '../src/index.js';

it('says yes, without a reason why not, where a pool can be made', () => {
  MemoryPool.create({ totalMemories: 1 }).close();
  expect({ yes: isSupported(), reason: supportReason() }).toEqual({ yes: true, reason: undefined });
});
