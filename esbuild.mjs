/** Builds the package: the worker into text, the text into the main file, and the declarations. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { build } from 'esbuild';

const root = import.meta.dirname;
const require = createRequire(import.meta.url);
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

async function workerCode(entry) {
  const options = { ...common, entryPoints: [join(root, entry)], format: 'cjs', minify: true, write: false };
  const { outputFiles } = await build(options);
  return outputFiles[0].text;
}
/** Long texts, each by what stands for it while esbuild breaks lines. */
const longTexts = new Map();
function standsFor(text) {
  const mark = `"long text ${longTexts.size}"`;
  longTexts.set(mark, text);
  return mark;
}
/** By this name what is imported says where it is: a bundle in the form of an ES module has no `__filename`. */
const LOCATION = 'sds-persistence-worker.location';
// what is started with nearly every process stays plain
const virtualModules = new Map([
  [
    'virtual:package-location',
    `export default () => typeof __filename === 'string' ? __filename : globalThis[Symbol.for('${LOCATION}')];`,
  ],
]);
/** Of the text of a thread Node finds out first whether it is a module, by compiling it once more: here there is little to compile. */
function compiledOnce(code) {
  // in single quotes: those that the code has are escaped once, not twice
  const script = `'${JSON.stringify(`(function (require) {${code}})`).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
  return `process.getBuiltinModule('node:vm').runInThisContext(${script}, '[sds-persistence-worker]')(require)`;
}
for (const [name, code] of [
  ['virtual:worker-code', compiledOnce(await workerCode('src/worker/sqlite/entry.ts'))],
  // loads what the program has, by `import` as well, which such a script has not
  ['virtual:merging-code', await workerCode('src/worker/merging/entry.ts')],
]) {
  virtualModules.set(name, `export default () => ${standsFor(code)}`);
}
// the rest has much in common: compressed together it is a quarter as long, and it is unpacked in less than two milliseconds
const rare = JSON.stringify({
  postgresql: await workerCode('src/worker/postgresql/entry.ts'),
  operations: await workerCode('src/worker/operations/thread/entry.ts'),
});
virtualModules.set(
  'virtual:rarely-used-code',
  `import { Buffer } from 'node:buffer';
  const packed = () => ${standsFor(brotliCompressSync(rare).toString('base64'))};
  const unpack = (bytes) => process.getBuiltinModule('node:zlib').brotliDecompressSync(bytes).toString();
  export default (name) => JSON.parse(unpack(Buffer.from(packed(), 'base64')))[name];`,
);
const codeOfWorkers = {
  name: 'code-of-workers',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^virtual:/ }, ({ path }) => ({ path, namespace: 'virtual' }));
    onLoad({ filter: /.*/, namespace: 'virtual' }, ({ path }) => ({ contents: virtualModules.get(path) }));
  },
};
// names are kept, for stack traces, and lines short
const readable = { minifySyntax: true, minifyWhitespace: true, lineLimit: 160 };
/** What lies beside a file of dist and is loaded from there, so that there is one of it, whoever imports it. */
const beside = (ending) => ({
  name: 'beside',
  setup({ onResolve }) {
    onResolve({ filter: /\/(main|documents)\/index\.ts$/ }, ({ path, kind }) => {
      if (kind === 'entry-point') return undefined;
      return { path: `./${path.includes('/main/') ? 'index' : 'documents'}.${ending}`, external: true };
    });
  },
});
/** What programs import, and the folder of `src` that it is built from. */
const published = {
  index: 'main',
  yjs: 'yjs',
  hocuspocus: 'hocuspocus',
  'automerge-repo': 'automerge-repo',
  'merged-documents': 'merged-documents',
};
const notice = '; contains Comlink, Apache-2.0: see THIRD-PARTY-NOTICES.md';
// one build for `require` and `import`: a program that does both has one library, and each class once
for (const [name, folder] of Object.entries({ ...published, documents: 'documents' })) {
  const { outputFiles } = await build({
    ...common,
    entryPoints: [join(root, 'src', folder, 'index.ts')],
    format: 'cjs',
    ...readable,
    write: false,
    outfile: join(dist, `${name}.cjs`),
    plugins: [comlinkGlobals, codeOfWorkers, beside('cjs')],
    banner: { js: `/*! sds-persistence-worker, MIT${name === 'index' ? notice : ''} */` },
  });
  const code = outputFiles[0].text
    // esbuild, if it makes an ES module of this, leaves no `require` of Node's modules that works
    .replaceAll(/\brequire\((?="node:)/g, 'process.getBuiltinModule(')
    // no text goes on in the next line: Rollup indents the lines of a CommonJS module, and would change it
    .replaceAll(/(?<!\\)((?:\\\\)*)\\\n/g, '$1')
    // in lines of their own: Node prints the line that an error comes from
    .replaceAll(/"long text \d+"/g, (mark) => `\n${JSON.stringify(longTexts.get(mark))}\n`)
    .replaceAll(/(\bif\(missing!==void 0\)throw new Error\([^;]*;)/g, '\n$1\n');
  writeFileSync(join(dist, `${name}.cjs`), code);
}
for (const name of Object.keys(published)) {
  const names = Object.keys(require(`./dist/${name}.cjs`));
  writeFileSync(
    join(dist, `${name}.js`),
    `globalThis[Symbol.for('${LOCATION}')] ??= import.meta.url;\nexport { ${names.join(', ')} } from './${name}.cjs';\n`,
  );
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
    plugins: [beside('js')],
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
