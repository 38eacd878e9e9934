/**
 * For `node --import`: rewrites `using` in this workspace's own files, as a TypeScript user's compiler does, where this Node
 * does not know it (before 24). The published packages need nothing of the kind.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { threadId } from 'node:worker_threads';

const WORKSPACE = new URL('../../', import.meta.url).href;

const KNOWS_USING = Number.parseInt(process.versions.node, 10) >= 24;

function isOurs(url) {
  return url.startsWith(WORKSPACE) && /\.m?[jt]s$/.test(url) && !url.includes('/node_modules/');
}

/** Lowered files by the hash of what they were: tests start the same program in hundreds of processes and threads. */
const CACHE = fileURLToPath(new URL('out/lowered/', import.meta.url));

function lower(url) {
  const path = fileURLToPath(url);
  const source = readFileSync(path, 'utf8');
  const cached = join(CACHE, `${createHash('sha256').update(path).update(source).digest('hex')}.mjs`);
  if (existsSync(cached)) return readFileSync(cached, 'utf8');
  const lowered = transpile(path, source);
  mkdirSync(CACHE, { recursive: true });
  // A rename is all or nothing: nobody reads half a file.
  const unfinished = `${cached}.${process.pid}-${threadId}`;
  writeFileSync(unfinished, lowered);
  renameSync(unfinished, cached);
  return lowered;
}

function transpile(fileName, source) {
  // Loaded at need: it is large.
  const typescript = createRequire(import.meta.url)('typescript');
  const options = { target: 'ES2022', module: 'ESNext', verbatimModuleSyntax: true, inlineSourceMap: true };
  return typescript.transpileModule(source, { fileName, compilerOptions: options }).outputText;
}

if (!KNOWS_USING) {
  registerHooks({
    load(url, context, nextLoad) {
      if (!isOurs(url)) return nextLoad(url, context);
      return { format: 'module', source: lower(url), shortCircuit: true };
    },
  });
}
