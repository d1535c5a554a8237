/** Builds the package: the worker into text, the text into the main file, and the declarations. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { build } from 'esbuild';

const root = import.meta.dirname;
const dist = join(root, 'dist');
// Comlink uses globals that a program may have replaced: ours has others in their place
const comlinkGlobals = {
  name: 'comlink-globals',
  setup({ onLoad }) {
    onLoad({ filter: /\bcomlink\.mjs$/ }, ({ path }) => ({
      contents: `import { ComlinkMath as Math, ComlinkPromise as Promise } from ${JSON.stringify(join(root, 'src/protocol/comlink-globals.ts'))};
        ${readFileSync(path, 'utf8')}`,
    }));
  },
};
const common = {
  bundle: true,
  platform: 'node',
  // the oldest Node that is supported
  target: 'node22.5',
  // Comlink's ES module rather than its UMD one: only of the former can the unused parts be left out
  mainFields: ['module', 'main'],
  // Comlink's notice is in THIRD-PARTY-NOTICES.md, the banner points there
  legalComments: 'none',
  // one byte a character for V8
  charset: 'ascii',
  logLevel: 'warning',
  plugins: [comlinkGlobals],
};

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);

// `packed` code is a third as long and is unpacked when it is first asked for, in less than a millisecond: what is
// started with nearly every process stays plain
const workers = {
  'virtual:worker-code': { entry: 'src/worker/sqlite/entry.ts', packed: false },
  'virtual:postgresql-code': { entry: 'src/worker/postgresql/entry.ts', packed: true },
  'virtual:files-code': { entry: 'src/worker/operations/files/entry.ts', packed: true },
  'virtual:merging-code': { entry: 'src/worker/merging/entry.ts', packed: false },
  'virtual:copying-code': { entry: 'src/worker/operations/copying/entry.ts', packed: true },
};
const workerModules = new Map();
for (const [name, { entry, packed }] of Object.entries(workers)) {
  const { outputFiles } = await build({
    ...common,
    entryPoints: [join(root, entry)],
    format: 'cjs',
    minify: true,
    write: false,
  });
  const [{ text }] = outputFiles;
  // by `process`, since an import would load zlib with the library
  const code = packed
    ? `process.getBuiltinModule('node:zlib').brotliDecompressSync(Buffer.from('${brotliCompressSync(text).toString('base64')}', 'base64')).toString()`
    : JSON.stringify(text);
  workerModules.set(name, `import { Buffer } from 'node:buffer';\nexport default () => ${code};`);
}
const locations = { esm: 'import.meta.url', cjs: '__filename' };
const virtualModules = (format) => ({
  name: 'virtual-modules',
  setup({ onResolve, onLoad }) {
    onLoad({ filter: /^virtual:package-location$/, namespace: 'worker-code' }, () => ({
      contents: `export default ${locations[format]}`,
    }));
    onResolve({ filter: /^virtual:/ }, ({ path }) => ({ path, namespace: 'worker-code' }));
    onLoad({ filter: /.*/, namespace: 'worker-code' }, ({ path }) => ({ contents: workerModules.get(path) }));
  },
});
// names are kept, for stack traces, and lines short: Node prints the one that an error comes from
const readable = { minifySyntax: true, minifyWhitespace: true, lineLimit: 160 };
/** What lies beside a file of dist and is loaded from there, so that there is one of it, whoever imports it. */
const beside = (parts, ending) => ({
  name: 'beside',
  setup({ onResolve }) {
    for (const [filter, name] of parts) onResolve({ filter }, () => ({ path: `./${name}.${ending}`, external: true }));
  },
});
const library = [/\/main\/index\.ts$/, 'index'];
const documents = [/\/documents\/index\.ts$/, 'documents'];
const notice = '; contains Comlink, Apache-2.0: see THIRD-PARTY-NOTICES.md';
/** The library, and what is loaded only by who asks for it. */
const entries = [
  ['src/main/index.ts', 'index', []],
  ['src/documents/index.ts', 'documents', [library]],
  ['src/yjs/index.ts', 'yjs', [library, documents]],
  ['src/hocuspocus/index.ts', 'hocuspocus', [library, documents]],
  ['src/automerge-repo/index.ts', 'automerge-repo', [library, documents]],
  ['src/merged-documents/index.ts', 'merged-documents', [library, documents]],
];
for (const [format, ending] of [
  ['esm', 'js'],
  ['cjs', 'cjs'],
]) {
  for (const [entry, name, parts] of entries) {
    await build({
      ...common,
      entryPoints: [join(root, entry)],
      format,
      ...readable,
      outfile: join(dist, `${name}.${ending}`),
      plugins: [comlinkGlobals, virtualModules(format), beside(parts, ending)],
      banner: { js: `/*! sds-persistence-worker, MIT${name === 'index' ? notice : ''} */` },
    });
  }
}

// the command line, beside the library and loaded by nothing of it
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
    ...readable,
    outfile: join(dist, outfile),
    plugins: [beside([library], 'js')],
  });
}
chmodSync(join(dist, 'bin.js'), 0o755);

// declarations: those that the public ones lead to, once, as CommonJS, which ES modules may import as well
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
  // what is imported for what it does declares nothing
  const text = readFileSync(path, 'utf8').replaceAll(/^import '[^']*';\n/gm, '');
  reachable.set(path, text);
  for (const [, , specifier] of text.matchAll(relativeImport)) follow(join(path, '..', `${specifier}.d.ts`));
};
const published = {
  index: 'main',
  ...Object.fromEntries(['yjs', 'hocuspocus', 'automerge-repo', 'merged-documents'].map((name) => [name, name])),
};
for (const folder of Object.values(published)) follow(join(types, folder, 'index.d.ts'));
rmSync(types, { recursive: true });
for (const [path, text] of reachable) {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path.replace(/\.d\.ts$/, '.d.cts'), text.replaceAll(relativeImport, "$1.cjs'"));
}
for (const [name, folder] of Object.entries(published)) {
  for (const ending of ['d.ts', 'd.cts']) {
    writeFileSync(join(dist, `${name}.${ending}`), `export * from './types/${folder}/index.cjs';\n`);
  }
}
