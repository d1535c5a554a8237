/** Programs for a folder in which the package is installed: how each ends, what it loses on its way, what it prints. */

import { importing, type ModuleFormat } from '../package/an-application.ts';

const imports = "import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';";

const burst = `
const patchOf = (text) => new TextEncoder().encode('patch ' + text);
const provider = new SDS_DesktopPersistenceProvider('store.db', 'store');
for (let clock = 1; clock <= 500; clock++) provider.appendPatch(patchOf(clock), clock).catch(() => {});
provider.saveValue('hash', new Uint8Array(300_000).fill(7)).catch(() => {});`;

export interface End {
  /** An ES module. */
  text: string;
  exitCode: number;
  /** What stands in its stderr; nothing, if it is left out. */
  says?: string;
  isSignal?: true;
}

/** By how a program ends. */
export const ends: Record<string, End> = Object.fromEntries(
  Object.entries<End>({
    'by itself': { text: burst, exitCode: 0 },
    'by process.exit(), before the worker is up': { text: `${burst} process.exit(3);`, exitCode: 3 },
    'by process.exit() while the worker is at work': {
      text: `${burst} await provider.ready(); setImmediate(() => process.exit(3));`,
      exitCode: 3,
    },
    'by an error that nobody catches': {
      text: `${burst} throw new Error('on purpose');`,
      exitCode: 1,
      says: 'on purpose',
    },
    'by a rejection that nobody handles': {
      // not by an `await` that never ends: with it Bun goes on for ever, whatever the program is
      text: `${burst} setInterval(() => {}, 1000); Promise.reject(new Error('on purpose'));`,
      exitCode: 1,
      says: 'on purpose',
    },
    'by a signal that it handles': {
      text: `process.once('SIGTERM', () => { ${burst} process.exit(3); });
      setInterval(() => {}, 1000);
      process.kill(process.pid, 'SIGTERM');`,
      exitCode: 3,
      isSignal: true,
    },
    'by the end of a thread of its own': {
      text: `import { isMainThread, Worker } from 'node:worker_threads';
      if (isMainThread) new Worker(new URL(import.meta.url));
      else { ${burst} process.exit(0); }`,
      exitCode: 0,
    },
    'by an `exit` listener that makes the first call': {
      text: `process.on('exit', () => { ${burst} });`,
      exitCode: 0,
    },
  }).map(([how, end]) => [how, { ...end, text: `${imports}\n${end.text}` }]),
);

export const killed = `${imports}
${burst}
await provider.flush();
provider.appendPatch(patchOf('later'), 9999).catch(() => {});
process.stdout.write('flushed\\n', () => process.kill(process.pid, 'SIGKILL'));
await new Promise(() => {});`;

/** Ends its own worker in the middle of what it is doing; `require`, so that it can see which threads are started. */
export const lostWorkers = `
const threads = require('node:worker_threads');
const started = [];
threads.Worker = class extends threads.Worker {
  constructor(...values) {
    super(...values);
    started.push(this);
  }
};
const { SDS_DesktopPersistenceProvider } = require('sds-persistence-worker');
const patchOf = (text) => new TextEncoder().encode('patch ' + text);
async function main() {
  const provider = new SDS_DesktopPersistenceProvider('store.db', 'store');
  const append = (first, last) => {
    for (let clock = first; clock <= last; clock++) provider.appendPatch(patchOf(clock), clock).catch(() => {});
  };
  await provider.ready();
  append(1, 1000);
  started.at(-1).terminate();
  append(1001, 2000);
  await provider.flush();
  started.at(-1).terminate(); // first: it may be quick
  append(2001, 3000);
  const flushed = provider.flushSync(60_000);
  console.log(JSON.stringify({ flushed, replaced: started.length - 1 }));
  await provider.close();
}
void main();`;

export const operations = `
import * as library from 'sds-persistence-worker';
const { SDS_DesktopPersistenceProvider, backupDatabase, compactDatabase, copyStores, describeDatabase, restoreDatabase, verifyDatabase } = library;
const outcomes = {};
const note = async (name, run) => { outcomes[name] = await run().catch((error) => error.code + ': ' + error.message + ' ' + error.cause); };
const provider = new SDS_DesktopPersistenceProvider('store.db', 'store');
for (let clock = 1; clock <= 1000; clock++) provider.appendPatch(new Uint8Array(1000).fill(clock), clock).catch(() => {});
await note('backup', async () => (await provider.backup('backup.db')).Pages > 200);
await note('compactStore', async () => provider.compactStore(new Uint8Array(2_000_000), await provider.loadStore()));
await provider.close();
await note('describeDatabase', async () => (await describeDatabase('store.db')).Stores.length);
await note('compactDatabase', async () => (await compactDatabase('store.db')).BytesAfter > 2_000_000);
await note('verifyDatabase', async () => (await verifyDatabase('store.db')).Sound);
await note('backupDatabase', async () => (await backupDatabase('store.db', 'backup.db', { Overwrite: true })).Pages > 200);
await note('restoreDatabase', async () => (await restoreDatabase('backup.db', 'restored.db')) !== undefined);
await note('copyStores', async () => (await copyStores('restored.db', 'copied.db')).Stores);
console.log(JSON.stringify(outcomes));`;

/** Commands in their order, each with what it says. */
export const commands: [args: string[], says: RegExp][] = [
  [['info', 'store.db'], /^store\.db\n/],
  [['verify', 'store.db'], /^store\.db: sound/],
  [['backup', 'store.db', 'saved.db'], /^'store\.db' backed up to 'saved\.db'/],
  [['backup', '--overwrite', 'store.db', 'saved.db'], /^'store\.db' backed up to 'saved\.db'/],
  [['restore', '--overwrite', 'saved.db', 'again.db'], /^'saved\.db' restored to 'again\.db'/],
  [['compact', 'again.db'], /^again\.db: /],
  [['copy', '--store', 'tasks', 'again.db', 'tasks.db'], /1 store, 0 snapshots, 30 patches, 3 values/],
  [['watch', '--count', '1', '--every', '0.01', '--json', 'store.db'], /^\{/],
  [['schema'], /CREATE TABLE/],
];

/** Documents of Yjs: bound, merged by a thread, and found again. */
export const documents = (format: ModuleFormat) => `${importing(format, 'YjsPersistence', 'sds-persistence-worker/yjs')}
${format === 'esm' ? "import * as Y from 'yjs';" : "const Y = require('yjs');"}
async function main() {
  const persistence = new YjsPersistence('documents.db', { Y });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  for (let i = 0; i < 100; i++) doc.getText('text').insert(0, i + ' ');
  await persistence.flushDocument('notes');
  doc.getText('text').insert(0, 'last ');
  await persistence.destroy();
  const again = new YjsPersistence('documents.db', { Y });
  const text = (await again.getYDoc('notes')).getText('text').toString();
  await again.destroy();
  console.log(JSON.stringify(text.slice(0, 14)));
}
void main();
`;

export const lastWords = 'last 99 98 97 ';

/** Waits for a merge, as nothing else of it does: neither the merging thread nor its timers keep a process alive. */
export const waiting = `
import { MergedDocuments } from 'sds-persistence-worker/merged-documents';
const merge = 'export const merge = async (parts) => { await new Promise((resolve) => setTimeout(resolve, 500)); return parts[0]; }';
const documents = new MergedDocuments('documents.db', { merge: 'data:text/javascript,' + merge });
documents.append('notes', new Uint8Array(1));
documents.compact('notes').then((isStored) => console.log(isStored));`;
