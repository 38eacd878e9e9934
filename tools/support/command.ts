/** Commands that the tools run as children. */
import { execFileSync } from 'node:child_process';

export type Command = readonly [string, ...string[]];

/** The one that runs this script; else the one that comes with nothing installed, which `npx` takes seconds to find. */
const PNPM: Command = process.env['npm_config_user_agent']?.startsWith('pnpm/')
  ? ['pnpm']
  : ['npx', '-y', 'pnpm@12'];

export const pnpm = (...args: readonly string[]): Command => [...PNPM, ...args];

/** Runs a command and returns what it prints. Throws if it fails. */
export function outputOf(cwd: string, [file, ...args]: Command): string {
  return execFileSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Runs a command in front of the reader. Throws if it fails. */
export function show(cwd: string, [file, ...args]: Command): void {
  console.log(`\n$ ${[file, ...args].join(' ')}`);
  execFileSync(file, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
}
