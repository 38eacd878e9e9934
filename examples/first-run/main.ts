/** The first whole run: from real `.wasm` files to thousands of live, isolated memories in one slab. See `--help`. */
import { HELP, parseOptions, UsageError } from './src/options.ts';

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(HELP);
  } else {
    // Only now, so that help is to be had where nothing is built yet.
    const { run } = await import('./src/run.ts');
    process.exitCode = await run(options);
  }
} catch (error) {
  process.exitCode = error instanceof UsageError ? 2 : 1;
  process.stderr.write(`${describe(error)}\n`);
}

/** An error with a code is meant to be read; the place where any other one was thrown matters more. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return `The run broke off: ${String(error)}`;
  if (error instanceof UsageError) return error.message;
  return `The run broke off: ${'code' in error ? error.message : (error.stack ?? error.message)}`;
}
