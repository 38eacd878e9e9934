/** A native guest in the pool: it computes, it goes wrong, Node lives on. */
import { MemoryPool } from '@guardstripe/memory-pool';
import { faultsGuest } from './src/guests.ts';
import { GuestModule } from './src/guest-module.ts';
import { MissingToolError } from './src/toolchain.ts';
import { TrapError } from './src/trap-error.ts';

async function run(): Promise<void> {
  // Compiled by wasm2c and cc, without bounds checks; found again in `dist` the next time.
  using module = GuestModule.load(await faultsGuest());
  using pool = MemoryPool.create({ totalMemories: 100 });
  using store = pool.openStore();
  const imports = { env: { ask: (value: number) => value } };

  const { exports } = module.instantiate({ pool, store, imports });
  console.log('the sum over 1,000 bytes of its memory:', exports['work']?.(1000, 42));
  console.log('the old size in pages, after a growth from inside:', exports['grow']?.(1));

  for (const address of [2 * 65_536, -1]) {
    try {
      exports['load8']?.(address);
    } catch (error) {
      if (!(error instanceof TrapError)) throw error;
      console.log(`${error.name}: ${error.message}`);
    }
  }
  console.log('it can still be called:', exports['count']?.());
}

try {
  await run();
} catch (error) {
  if (!(error instanceof MissingToolError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
