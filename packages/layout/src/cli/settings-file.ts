/** Settings from a JSON file. */
import { readFileSync } from 'node:fs';
import type { PlanInput } from '../plan/settings.js';
import { UsageError } from './usage-error.js';

const STANDARD_INPUT = 0;

/**
 * The settings in a file; `-` is standard input. Wasmtime's own configuration file groups its flags by their letter, so the
 * settings may also stand under `optimize`.
 *
 * @throws {@link UsageError} if it cannot be read, or is not one object in JSON
 */
export function readSettingsFile(path: string): PlanInput {
  const name = path === '-' ? 'standard input' : path || 'a file without a name';
  const parsed = parse(name, read(path, name));
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new UsageError(`${name} holds no object of settings`);
  }
  if (!('optimize' in parsed)) return parsed;
  const { optimize } = parsed;
  if (typeof optimize !== 'object' || optimize === null || Array.isArray(optimize))
    throw new UsageError(`${name} holds no object of settings under optimize`);
  return optimize;
}

function read(path: string, name: string): string {
  try {
    return readFileSync(path === '-' ? STANDARD_INPUT : path, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${name}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

function parse(name: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const [firstLine] = (error as Error).message.split('\n');
    throw new UsageError(`${name} is not JSON: ${firstLine}`);
  }
}
