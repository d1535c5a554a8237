/** Builds the package: the worker into text, the text into the main file, and the declarations. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = import.meta.dirname;
const dist = join(root, 'dist');
// the oldest Node that is supported
const common = { bundle: true, platform: 'node', target: 'node22.5', logLevel: 'warning', charset: 'utf8' };

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);

const worker = await build({
  ...common,
  entryPoints: [join(root, 'src/worker/entry.ts')],
  format: 'cjs',
  minify: true,
  write: false,
});
const workerCode = {
  name: 'worker-code',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^virtual:worker-code$/ }, ({ path }) => ({ path, namespace: 'worker-code' }));
    onLoad({ filter: /.*/, namespace: 'worker-code' }, () => ({
      contents: worker.outputFiles[0].text,
      loader: 'text',
    }));
  },
};
for (const [format, outfile] of [
  ['esm', 'index.js'],
  ['cjs', 'index.cjs'],
]) {
  await build({
    ...common,
    entryPoints: [join(root, 'src/main/index.ts')],
    format,
    outfile: join(dist, outfile),
    plugins: [workerCode],
    legalComments: 'none',
    banner: { js: '/*! sds-persistence-worker, MIT; contains Comlink, Apache-2.0: see THIRD-PARTY-NOTICES.md */' },
  });
}

// declarations, once as ES module and once as CommonJS
const types = join(dist, 'types');
execFileSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')],
  {
    stdio: 'inherit',
  },
);
const declare = (extension, specifier) => {
  for (const name of readdirSync(types, { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue;
    const text = readFileSync(join(types, name), 'utf8').replaceAll(/(from '\.[^']*)\.ts'/g, `$1.${specifier}'`);
    writeFileSync(join(types, name.replace(/\.d\.ts$/, extension)), text);
  }
};
declare('.d.cts', 'cjs');
declare('.d.ts', 'js');
writeFileSync(join(dist, 'index.d.ts'), "export * from './types/main/index.js';\n");
writeFileSync(join(dist, 'index.d.cts'), "export * from './types/main/index.cjs';\n");
