/**
 * Refuses globals in `src` that a program may have replaced before this package is loaded, or will replace afterwards:
 * `src/protocol/surroundings.ts` has them as they were, and alone may use them. Types are no use, nor is what is imported
 * under such a name; so the compiler is asked, which is told to put a mark in the place of each.
 */
import { globSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { transform } from 'esbuild';

const everywhere = [
  ...['Promise', 'performance', 'queueMicrotask', 'process.nextTick', 'process.hrtime'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'],
];
/** In the thread of the program, whose tests may stop the clock, and whose bundler may bring a `Buffer` of its own. */
const inMain = ['Date', 'Buffer', 'structuredClone', 'MessageChannel', 'AbortController', 'EventTarget'];
const modules = /\bfrom\s*["'](?:node:)?(timers|timers\/promises|perf_hooks)["']/g;

const [folder = import.meta.dirname] = process.argv.slice(2);
const found = [];
for (const path of globSync(
  'src/{main,worker,protocol,documents,yjs,hocuspocus,automerge-repo,merged-documents}/**/*.ts',
  {
    cwd: folder,
  },
)) {
  const file = path.split(sep).join('/');
  if (file === 'src/protocol/surroundings.ts') continue;
  const names = file.startsWith('src/worker/') ? everywhere : [...everywhere, ...inMain];
  const forms = names.flatMap((name) => [name, `globalThis.${name}`]);
  const define = Object.fromEntries(forms.map((form, index) => [form, `refused_${index}_`]));
  const { code } = await transform(readFileSync(join(folder, path), 'utf8'), { loader: 'ts', define });
  const uses = [...code.matchAll(/\brefused_(\d+)_/g)].map(([, index]) => forms[index]);
  const imports = [...code.matchAll(modules)].map(([, name]) => `the module node:${name}`);
  for (const use of new Set([...uses, ...imports])) found.push(`${file}: ${use}`);
}
if (found.length > 0) {
  const message = 'a program may have replaced these; src/protocol/surroundings.ts has them as they were:';
  process.stderr.write(`${[message, ...found].join('\n  ')}\n`);
  process.exitCode = 1;
}
