/** The first whole run: from real `.wasm` files to thousands of live, isolated memories in one slab. See `--help`. */
import { HELP, parseOptions, UsageError } from './src/options.ts';
import { run } from './src/run.ts';

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(HELP);
  else process.exitCode = await run(options);
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\nTry --help.\n`);
    process.exitCode = 2;
  } else {
    process.stderr.write(
      `The run broke off: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exitCode = 1;
  }
}
