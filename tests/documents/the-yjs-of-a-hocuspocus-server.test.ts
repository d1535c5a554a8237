/** The Yjs of the server is found wherever it lies and however it was loaded, and no other one is loaded beside it. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { HocuspocusPersistence } from 'sds-persistence-worker/hocuspocus';
import { expect, it, onTestFinished } from 'vitest';
import * as Y from 'yjs';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { serve } from './hocuspocus-server.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** Types more than is left unmerged, waits until that is merged, and says what a second server finds of it. */
const typing = (file: string, options = '') => `
async function merged() {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const database = new DatabaseSync(${JSON.stringify(file)}, { readOnly: true });
  const row = database.prepare('SELECT 1 FROM snapshots');
  while (row.get() === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
  database.close();
}
async function open(does) {
  const server = new Server({ quiet: true, stopOnSignals: false, extensions: [new HocuspocusPersistence({ database: ${JSON.stringify(file)}${options} })] });
  const direct = await server.hocuspocus.openDirectConnection('notes');
  await does(direct);
  await direct.disconnect();
  await server.hocuspocus.hooks('onDestroy', { instance: server.hocuspocus });
}
async function main() {
  await open(async (direct) => {
    for (let i = 0; i < 600; i++) await direct.transact((document) => document.getText('text').insert(0, 'x'));
    await merged();
  });
  await open(async ({ document }) => console.log(document.getText('text').length));
}
main().catch((error) => console.log(error.message));
`;

/** A folder with packages of its own, as an application has it. */
function anApplication(): string {
  const folder = freshFolder();
  const packages = [
    '@hocuspocus/common',
    '@hocuspocus/server',
    'async-mutex',
    'crossws',
    'isomorphic.js',
    'kleur',
    'lib0',
    'tslib',
    'y-protocols',
    'yjs',
  ];
  for (const name of packages)
    cpSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), { recursive: true });
  return folder;
}

const packageUrl = JSON.stringify(pathToFileURL(join(root, 'dist/hocuspocus.js')).href);
const packagePath = JSON.stringify(join(root, 'dist/hocuspocus.cjs'));
const imported = `import { Server } from '@hocuspocus/server';
import { HocuspocusPersistence } from ${packageUrl};
`;
const required = `const { Server } = require('@hocuspocus/server');
const { HocuspocusPersistence } = require(${packagePath});
`;

// this package and the working directory have another Yjs in reach
it.each([
  ['imported', 'main.mjs', imported],
  ['required', 'main.cjs', required],
  [
    'required, and this package imported',
    'main.mjs',
    `${imported.replace(/^.*\n/, '')}
import { createRequire } from 'node:module';
const { Server } = createRequire(import.meta.url)('@hocuspocus/server');
`,
  ],
])('a server that is %s', async (_, name, beginning) => {
  const program = join(anApplication(), name);
  const file = freshFile();
  writeFileSync(program, beginning + typing(file));
  expect(await run(process.execPath, [program], { cwd: root })).toEqual({ stdout: '600\n', stderr: '' });
  expect(rowsOf(file).snapshots).toHaveLength(1);
});

it('a document is added before a server has any, where its Yjs is loaded in both forms: the server gets that of its own', async () => {
  const program = join(anApplication(), 'main.mjs');
  writeFileSync(
    program,
    `${imported}
import { createRequire } from 'node:module';
import * as Y from 'yjs';
createRequire(import.meta.url)('yjs');
const source = new Y.Doc();
source.getMap('map').set('inner', new Y.Map());
const persistence = new HocuspocusPersistence({ database: ${JSON.stringify(freshFile())} });
await persistence.add('notes', Y.encodeStateAsUpdate(source));
const server = new Server({ quiet: true, stopOnSignals: false, extensions: [persistence] });
const { document, disconnect } = await server.hocuspocus.openDirectConnection('notes');
console.log(document.getMap('map').get('inner') instanceof Y.Map);
await persistence.destroy();
process.exit();`,
  );
  const { stdout } = await run(process.execPath, [program], { cwd: root });
  expect(stdout).toBe('true\n');
});

/** A program beside a copy of Yjs that can't be loaded, with the server of an application. */
function besideABrokenYjs(application: string, text: string): string {
  const folder = freshFolder();
  const program = join(folder, 'main.mjs');
  const broken = join(folder, 'node_modules/yjs');
  mkdirSync(broken, { recursive: true });
  const exported = { './package.json': './package.json', '.': { import: './yjs.mjs', require: './yjs.cjs' } };
  writeFileSync(join(broken, 'package.json'), JSON.stringify({ name: 'yjs', exports: exported }));
  writeFileSync(join(broken, 'yjs.mjs'), "throw new Error('broken');");
  writeFileSync(join(broken, 'yjs.cjs'), "throw new Error('broken');");
  const server = pathToFileURL(join(application, 'node_modules/@hocuspocus/server/dist/hocuspocus-server.esm.js'));
  writeFileSync(program, imported.replace("'@hocuspocus/server'", JSON.stringify(server)) + text);
  return program;
}

it('a copy of Yjs that can not be loaded is passed over', async () => {
  const application = anApplication();
  const { stdout } = await run(process.execPath, [besideABrokenYjs(application, typing(freshFile()))], {
    cwd: application,
  });
  expect(stdout).toBe('600\n');
});

it('where the Yjs of the documents is not found, the message says which copies could not be loaded, and why', async () => {
  const program = besideABrokenYjs(anApplication(), typing(freshFile()));
  const { stdout } = await run(process.execPath, [program], { cwd: join(program, '..') });
  expect(stdout).toMatch(/was not found.*node_modules\/yjs\/yjs\.mjs could not be loaded: broken.*hand it in/);
});

it.each([
  ['without Yjs says that it has to be handed in', '', /was not found.*HocuspocusPersistence\(\{ database, Y \}\)/],
  ['that hands in its Yjs works, and says that it has no merging thread', ', Y', /^600\n$/],
])('a program that is bundled %s', async (_, option, printed) => {
  const folder = freshFolder();
  const [source, program, file] = [join(folder, 'source.mjs'), join(folder, 'alone', 'main.mjs'), freshFile()];
  mkdirSync(join(folder, 'alone'));
  writeFileSync(
    source,
    `import { Server } from ${JSON.stringify(join(root, 'node_modules/@hocuspocus/server/dist/hocuspocus-server.esm.js'))};
import { HocuspocusPersistence } from ${JSON.stringify(join(root, 'dist/hocuspocus.js'))};
import * as Y from ${JSON.stringify(join(root, 'node_modules/yjs/dist/yjs.mjs'))};
console.assert(Y.Doc);
${typing(file, option)}`,
  );
  const banner = { js: "import { createRequire as make } from 'node:module'; const require = make(import.meta.url);" };
  await build({ entryPoints: [source], outfile: program, bundle: true, platform: 'node', format: 'esm', banner });
  const { stdout, stderr } = await run(process.execPath, [program], { cwd: join(folder, 'alone') });
  expect(stdout).toMatch(printed);
  if (option !== '') expect(stderr).toContain('SDS_NO_MERGING_THREAD');
});

it('a document is added where there is no Yjs to check it with: that is told, and none of its bytes stay', async () => {
  const folder = freshFolder();
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  const program = join(folder, 'main.mjs');
  writeFileSync(
    program,
    `import { HocuspocusPersistence } from './dist/hocuspocus.js';
const persistence = new HocuspocusPersistence({ database: ${JSON.stringify(freshFile())} });
const add = () => persistence.add('notes', new Uint8Array([0, 0])).catch(({ code }) => console.log(code));
const ports = () => process.report.getReport().libuv.filter(({ type }) => type === 'async').length;
await add();
const before = ports();
for (let round = 0; round < 20; round++) await add();
await new Promise((resolve) => setTimeout(resolve)); // ports are closed at the end of a turn
console.log(ports() <= before);
await persistence.destroy();`,
  );
  const { stdout } = await run(process.execPath, [program], { cwd: folder });
  expect(stdout).toBe(`${'invalid-argument\n'.repeat(21)}true\n`);
});

it('another Yjs than the server has is refused, with a sentence', async () => {
  const other = { ...Y, Doc: class extends Y.Doc {} } as unknown as typeof Y;
  const { server } = await serve(freshFile(), { Y: other });
  await expect(server.hocuspocus.openDirectConnection('notes')).rejects.toThrow(/another Yjs than the one/);
});

it('options are checked, each by its name', () => {
  const make = (options: object) => () => {
    const persistence = new HocuspocusPersistence(options as never);
    onTestFinished(() => persistence.destroy());
  };
  expect(make({})).toThrow(/the option database is missing/);
  expect(make({ database: 1 })).toThrow(/database must be a path/);
  expect(make({ database: freshFile(), Y: {} })).toThrow(/Y must be the module yjs/);
  expect(make({ database: freshFile(), databse: 'x' })).toThrow(/there is no option 'databse'/);
  expect(make({ database: freshFile(), durability: 'none' })).toThrow(/^durability/);
});
