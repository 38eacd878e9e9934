/**
 * Runs the tests of all projects, or of those that are named, and keeps how many there were in `last-run.json`, from which
 * `tools/figures` writes the page "How it is tested":
 *
 *     pnpm exec node tools/tested/main.ts [project ...]
 *
 * Build before. Ends with 1 if a test failed; nothing is kept of that project then.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { countRun, type Counts, type JsonReport } from './counts.ts';

const WORKSPACE = join(import.meta.dirname, '..', '..');
const RESULTS = join(import.meta.dirname, 'last-run.json');
const VITEST = join(WORKSPACE, 'node_modules', 'vitest', 'vitest.mjs');

/** As the workspace's vitest configuration finds them. */
function projects(): readonly string[] {
  const folders = ['packages', 'examples', 'tools'].flatMap((parent) =>
    readdirSync(join(WORKSPACE, parent)).map((name) => join(parent, name)),
  );
  const tested = [...folders, 'docs'].filter((folder) => existsSync(join(WORKSPACE, folder, 'test')));
  return tested.map((folder) => basename(folder)).toSorted();
}

/** What became of a project's tests; `undefined` if one failed. */
function run(project: string, scratch: string): Counts | undefined {
  const file = join(scratch, `${project}.json`);
  const words = [
    'run',
    '--project',
    project,
    '--reporter=dot',
    '--reporter=json',
    `--outputFile.json=${file}`,
  ];
  const { status } = spawnSync(process.execPath, [VITEST, ...words], { cwd: WORKSPACE, stdio: 'inherit' });
  return status === 0 ? countRun(JSON.parse(readFileSync(file, 'utf8')) as JsonReport) : undefined;
}

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !projects().includes(name));
if (unknown !== undefined)
  throw new RangeError(`A project must be one of ${projects().join(', ')}, received "${unknown}"`);
const kept = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as Record<string, Counts>) : {};
const scratch = mkdtempSync(join(tmpdir(), 'guardstripe-tested-'));
try {
  for (const project of wanted.length === 0 ? projects() : wanted) {
    const counts = run(project, scratch);
    if (counts === undefined) process.exitCode = 1;
    else keep(project, counts);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** At once: the next project may take minutes. */
function keep(project: string, counts: Counts): void {
  kept[project] = counts;
  const sorted = Object.fromEntries(Object.entries(kept).toSorted(([a], [b]) => a.localeCompare(b)));
  writeFileSync(RESULTS, `${JSON.stringify(sorted, undefined, 2)}\n`);
}
