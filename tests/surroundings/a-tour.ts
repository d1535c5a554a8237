/**
 * A program that makes every kind of call, in a process whose globals were replaced: it prints what each came to. Whatever
 * the program itself needs of its surroundings it has taken before.
 */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { run } from '../package/a-fresh-machine.ts';
import { freshFolder } from '../support/files.ts';

const root = join(import.meta.dirname, '../..');
/** What is found from here may be named in `replace`. */
export const { resolve } = createRequire(import.meta.url);

const forms = {
  require: `require(${JSON.stringify(join(root, 'dist/index.cjs'))})`,
  import: `await import(${JSON.stringify(join(root, 'dist/index.js'))})`,
};

/** The calls by name, in two parts, each with what it should come to. */
const parts: [name: string, make: string, expected: string][][] = [
  [
    ['a patch', 'provider.appendPatch(bytes(3, 1), 1)', 'done'],
    ['a patch, by then', 'own(provider.appendPatch(bytes(3, 1), 2))', 'done'],
    ['a patch, by catch, and what follows it', 'own(provider.appendPatch(bytes(3, 1), 3).catch(() => {}))', 'done'],
    ['two patches', 'own(OwnPromise.all([4, 5].map((n) => provider.appendPatch(bytes(3, 1), n))))', ','],
    ['a value', "provider.saveValue('small', bytes(1, 2))", 'done'],
    ['a larger value', "provider.saveValue('large', bytes(300_000, 3))", 'done'],
    ['a snapshot', 'provider.saveSnapshot(bytes(400_000, 5), 0)', 'done'],
  ],
  [
    ['loads at the same time', 'sizesOfLoads()', '400000,1,300000,5'],
    ['a flood', 'flood()', 'done'],
    ['a load of many patches', 'provider.loadPatchesSince(0).then(({ length }) => length)', '3000'],
    ['a backup', "provider.backup(folder + '/backup.db').then(({ Pages }) => Pages > 0)", 'true'],
    ['a check', "verifyDatabase(folder + '/backup.db').then(({ Sound }) => Sound)", 'true'],
    ['a description', 'describeDatabase(file).then(({ Stores }) => Stores.length)', '1'],
    ['a whole store', 'provider.loadStore().then((contents) => (seen = contents).Patches.length)', '3000'],
    ['a compaction', 'provider.compactStore(bytes(200_000, 1), seen)', 'true'],
    ['a record', "provider.saveRecord('key', bytes(200_000, 1))", 'done'],
    ['all records', "provider.loadRecords('k').then(([{ Key, Data }]) => Key + Data.length)", 'key200000'],
    ['all stores', 'provider.listStores().then(([name]) => name)', 'store'],
    ['a flush', 'provider.flush()', 'done'],
    ['a flush that blocks', 'provider.appendPatch(bytes(3, 7), 50_000) && provider.flushSync()', 'true'],
    ['a flush that has no time', 'flushWhileLocked()', 'false'],
    // with what came back of the calls above: it waits in a block of 2 ** 25 bytes, and so many are kept
    ['more than is kept ready for the next', "provider.saveValue('huge', bytes(17_000_000, 4))", 'done'],
    ['a call that fails', 'provider.saveValue(1, bytes(1, 1)).catch(({ code }) => code)', 'invalid-argument'],
    ['the end', 'provider.close()', 'done'],
  ],
];

const [first = '', second = ''] = parts.map((part) =>
  part.map(([name, make]) => `await call(${JSON.stringify(name)}, () => ${make});`).join('\n'),
);
export const expected = parts.flat().map(([name, , result]) => `${name}: ${result}`);

const tools = `
let seen;
const bytes = (length, value) => new Uint8Array(length).fill(value);
async function call(name, make) {
  waitsFor = name;
  said.push(name + ': ' + ((await make()) ?? 'done'));
}
const own = (promise) => new OwnPromise((resolve, reject) => { promise.then(resolve, reject); });
async function sizesOfLoads() {
  const loads = [provider.loadSnapshot(), provider.loadValue('small'), provider.loadValue('large'), provider.loadPatchesSince(0)];
  const sizes = [];
  for (const load of loads) sizes.push((await load).length);
  return sizes;
}
function flood() {
  let last;
  for (let n = 6; n <= 3000; n++) last = provider.appendPatch(bytes(500, 6), n);
  return last;
}
async function flushWhileLocked() {
  const other = new DatabaseSync(file);
  other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  const waits = provider.appendPatch(bytes(3, 8), 50_001);
  waits.catch(() => {});
  const flushed = provider.flushSync(100);
  other.exec('ROLLBACK');
  other.close();
  await waits; // with a clock that stands still it would have been refused by now
  return flushed;
}`;

export interface Replacement {
  /** Statements that replace something. */
  replace: string;
  /** Statements that put it back. */
  restore?: string;
  /** The promise by which the program itself awaits some of the calls. */
  promise?: string;
  /** What calls the function that makes the provider. */
  around?: string;
}

/** Before or after the package is loaded, or in every thread before all else. */
type When = 'before' | 'after' | 'preloaded';

/** What a program says of its calls, line by line, and whatever else it says. */
export async function tour(
  { replace, restore, promise = 'real.Promise', around = '(make) => make()' }: Replacement,
  how: { form: keyof typeof forms; when: When; restoreInBetween?: boolean },
): Promise<string[]> {
  const folder = freshFolder();
  const load = `const { SDS_DesktopPersistenceProvider, describeDatabase, verifyDatabase } = ${forms[how.form]};`;
  const program = join(folder, 'program.mjs');
  writeFileSync(
    program,
    `import { createRequire } from 'node:module';
import { writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
const require = createRequire(import.meta.url);
const real = { setTimeout, clearTimeout, Promise };
const folder = ${JSON.stringify(folder)};
const file = folder + '/store.db';
const said = [];
let waitsFor = 'the package';
process.on('uncaughtException', (error) => said.push('uncaught: ' + error.stack));
// what hangs is named, instead of a program that does not end
const watch = real.setTimeout(() => { said.push(waitsFor + ': NOT SETTLED'); process.exit(); }, 150_000);
process.on('exit', () => writeSync(1, JSON.stringify(said)));
${how.when === 'after' ? load : ''}
${how.when === 'preloaded' ? '' : replace}
${how.when === 'after' ? '' : load}
const OwnPromise = ${promise};
const provider = (${around})(() => new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 15_000 }));
${tools}
${first}
${how.restoreInBetween ? restore : ''}
${second}
real.clearTimeout(watch);`,
  );
  const preload = join(folder, 'preload.cjs');
  writeFileSync(preload, replace);
  const flags = how.when === 'preloaded' ? ['--require', preload] : [];
  const { stdout, stderr } = await run(process.execPath, [...flags, program], {
    cwd: folder,
    env: { NODE_NO_WARNINGS: '1' },
  });
  return [...(JSON.parse(stdout || '[]') as string[]), ...(stderr === '' ? [] : [stderr])];
}
