/**
 * Looks for modules whose memories start differently here and in V8:
 *
 *     node packages/memory-pool/fuzz/main.ts [--seconds 60] [--seed N] [--count N] [--wasmtime]
 *
 * With `--wasmtime`, it is Wasmtime that they are compared with, and they are such as V8 cannot read.
 *
 * The seed is printed. A module that fails is written to `fuzz/findings/`, and its own seed with `--count 1` makes it again.
 * Ends with 1 if one did.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { OUTCOMES } from './compare.ts';
import { fuzz, type Case, type Tally } from './run.ts';

const FINDINGS = join(import.meta.dirname, 'findings');

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    count: { type: 'string', default: 'Infinity' },
    wasmtime: { type: 'boolean', default: false },
  },
});
const [seconds, seed, count] = [values.seconds, values.seed, values.count].map(Number) as [
  number,
  number,
  number,
];
if ([seconds, seed, count].some(Number.isNaN)) {
  console.error('--seconds, --seed and --count want numbers');
  process.exit(2);
}

console.log(`seed ${seed}, for ${seconds} seconds`);
const end = performance.now() + seconds * 1000;
const goOn = (done: number): boolean => done < count && performance.now() < end;
report(values.wasmtime ? await besideWasmtime() : besideV8());

type Finding = { readonly failed: Case; readonly error: unknown } | undefined;

function besideV8(): Finding {
  const tally = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Tally;
  const finding = fuzz(seed, tally, goOn);
  for (const [outcome, number] of Object.entries(tally))
    console.log(`${String(number).padStart(9)} ${outcome}`);
  return finding;
}

/** The program is built only if it is wanted. */
async function besideWasmtime(): Promise<Finding> {
  const { secondOpinion } = await import('./second-opinion.ts');
  const opinion = await secondOpinion(seed, goOn);
  if (opinion !== undefined) console.log(opinion.tally);
  return opinion?.finding;
}

function report(finding: Finding): void {
  if (finding === undefined) return;
  const { failed, error } = finding;
  mkdirSync(FINDINGS, { recursive: true });
  const file = join(FINDINGS, `${failed.seed}.wasm`);
  writeFileSync(file, failed.bytes);
  console.error(`seed ${failed.seed}, written to ${file}:`, error);
  process.exitCode = 1;
}
