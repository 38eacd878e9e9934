/**
 * For `node --import`: rewrites `using` in this workspace's own files, as a TypeScript user's compiler does, where this Node
 * does not know it (before 24). The published packages need nothing of the kind.
 */
import { readFileSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

const WORKSPACE = new URL('../../', import.meta.url).href;

const KNOWS_USING = Number.parseInt(process.versions.node, 10) >= 24;

function isOurs(url) {
  return url.startsWith(WORKSPACE) && /\.m?[jt]s$/.test(url) && !url.includes('/node_modules/');
}

let typescript;

function lower(url) {
  // Loaded at need: it is large, and most processes that this is imported into run nothing of ours.
  typescript ??= createRequire(import.meta.url)('typescript');
  const path = fileURLToPath(url);
  return typescript.transpileModule(readFileSync(path, 'utf8'), {
    fileName: path,
    compilerOptions: {
      target: 'ES2022',
      module: 'ESNext',
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
    },
  }).outputText;
}

if (!KNOWS_USING) {
  registerHooks({
    load(url, context, nextLoad) {
      if (!isOurs(url)) return nextLoad(url, context);
      return { format: 'module', source: lower(url), shortCircuit: true };
    },
  });
}
