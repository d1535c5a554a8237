/** Builds the package: the worker into text, the text into the main file, and the declarations. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = import.meta.dirname;
const dist = join(root, 'dist');
const common = {
  bundle: true,
  platform: 'node',
  // the oldest Node that is supported
  target: 'node22.5',
  // Comlink's ES module rather than its UMD one: only of the former can the unused parts be left out
  mainFields: ['module', 'main'],
  // Comlink's notice is in THIRD-PARTY-NOTICES.md, the banner points there
  legalComments: 'none',
  charset: 'utf8',
  logLevel: 'warning',
};

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);

const workers = {
  'virtual:worker-code': 'src/worker/entry.ts',
  'virtual:maintenance-code': 'src/worker/maintenance/entry.ts',
  'virtual:moving-code': 'src/worker/moving/entry.ts',
};
const workerTexts = new Map();
for (const [name, entry] of Object.entries(workers)) {
  const { outputFiles } = await build({
    ...common,
    entryPoints: [join(root, entry)],
    format: 'cjs',
    minify: true,
    write: false,
  });
  workerTexts.set(name, outputFiles[0].text);
}
const workerCode = {
  name: 'worker-code',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^virtual:/ }, ({ path }) => ({ path, namespace: 'worker-code' }));
    onLoad({ filter: /.*/, namespace: 'worker-code' }, ({ path }) => ({
      contents: workerTexts.get(path),
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
    banner: { js: '/*! sds-persistence-worker, MIT; contains Comlink, Apache-2.0: see THIRD-PARTY-NOTICES.md */' },
  });
}

// the command line, beside the library and loaded by nothing of it
const library = {
  name: 'library',
  setup({ onResolve }) {
    onResolve({ filter: /\/main\/index\.ts$/ }, () => ({ path: './index.js', external: true }));
  },
};
for (const [entry, outfile] of [
  ['src/cli/bin.ts', 'bin.js'],
  ['src/cli/main.ts', 'cli.js'],
]) {
  await build({
    ...common,
    entryPoints: [join(root, entry)],
    format: 'esm',
    // the first file is read by any Node, to say that it is too old
    target: outfile === 'bin.js' ? 'node14.8' : common.target,
    minifySyntax: true,
    minifyWhitespace: true,
    outfile: join(dist, outfile),
    plugins: [library],
  });
}
chmodSync(join(dist, 'bin.js'), 0o755);

// declarations, once as ES module and once as CommonJS: those that the public ones lead to
const types = join(dist, 'types');
execFileSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')],
  { stdio: 'inherit' },
);
const relativeImport = /(from '(\.[^']*))\.ts'/g;
const reachable = new Map();
const follow = (path) => {
  if (reachable.has(path)) return;
  const text = readFileSync(path, 'utf8');
  reachable.set(path, text);
  for (const [, , specifier] of text.matchAll(relativeImport)) follow(join(path, '..', `${specifier}.d.ts`));
};
follow(join(types, 'main/index.d.ts'));
rmSync(types, { recursive: true });
for (const [path, text] of reachable) {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text.replaceAll(relativeImport, "$1.js'"));
  writeFileSync(path.replace(/\.d\.ts$/, '.d.cts'), text.replaceAll(relativeImport, "$1.cjs'"));
}
writeFileSync(join(dist, 'index.d.ts'), "export * from './types/main/index.js';\n");
writeFileSync(join(dist, 'index.d.cts'), "export * from './types/main/index.cjs';\n");
