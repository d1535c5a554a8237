/**
 * A process that has loaded nothing but this file: `start WHO FOLDER` tells how long it takes from the import to
 * the first append that is acknowledged; `memory WHO FOLDER FILES BURST` what the process keeps in memory.
 * WHO may be the file of another build of the provider.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const IDLE_MS = 1500;
const QUIET_MS = 10_000;
const PATCH_BYTES = 200;

const [, , what, who, folder = '.', files = '1', burst = '0'] = process.argv;

const schema = `
  CREATE TABLE IF NOT EXISTS snapshots (store_id TEXT PRIMARY KEY, data BLOB NOT NULL, clock INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS patches (store_id TEXT NOT NULL, clock INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, clock));
  CREATE TABLE IF NOT EXISTS blobs (hash TEXT PRIMARY KEY, data BLOB NOT NULL, ref_count INTEGER NOT NULL DEFAULT 0);`;
const begin = `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ${schema}`;

async function openProvider(file) {
  const { SDS_DesktopPersistenceProvider } = await import(
    who === 'provider' ? '../../dist/index.js' : pathToFileURL(who).href
  );
  const provider = new SDS_DesktopPersistenceProvider(file, 'store');
  return {
    appendPatch: (patch, clock) => provider.appendPatch(patch, clock),
    settle: () => provider.flush(),
    close: () => provider.close(),
  };
}

/** As the synchronous provider does it: each call is prepared and committed by itself. */
async function openReference(file) {
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(file);
  database.exec(begin);
  return {
    async appendPatch(patch, clock) {
      const sql = 'INSERT OR IGNORE INTO patches (store_id, clock, data) VALUES (?, ?, ?)';
      database.prepare(sql).run('store', clock, patch);
    },
    settle() {},
    close: () => database.close(),
  };
}

/** Nothing but a thread that opens the file, makes its tables, and says so. */
async function openInEmptyWorker(file) {
  const { Worker } = await import('node:worker_threads');
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { DatabaseSync } = require('node:sqlite');
    const database = new DatabaseSync(workerData.file);
    database.exec(workerData.begin);
    parentPort.on('message', () => {});
    parentPort.postMessage(0);`;
  const worker = new Worker(code, { eval: true, workerData: { file, begin } });
  return {
    appendPatch: () => once(worker, 'message'),
    settle() {},
    close: () => worker.terminate(),
  };
}

const open = { reference: openReference, 'empty-worker': openInEmptyWorker }[who] ?? openProvider;
const patch = new Uint8Array(PATCH_BYTES).fill(1);
const rss = () => process.memoryUsage.rss() / 1024 ** 2;

async function start() {
  const before = performance.now();
  const database = await open(join(folder, 'store.db'));
  await database.appendPatch(patch, 1);
  const firstAppendMs = performance.now() - before;
  await database.close();
  return { firstAppendMs };
}

async function memory() {
  const databases = [];
  for (let i = 0; i < Number(files); i++) {
    databases.push(await open(join(folder, `${i}.db`)));
    await databases[i].appendPatch(patch, 1);
  }
  await pause(IDLE_MS);
  const found = { idleMiB: rss() };
  if (Number(burst) > 0) {
    const [database] = databases;
    for (let i = 0; i < Number(burst); i++) void database.appendPatch(patch, i + 2);
    await database.settle();
    await pause(QUIET_MS);
    found.afterBurstMiB = rss();
  }
  for (const database of databases) await database.close();
  return found;
}

console.log(JSON.stringify(await (what === 'start' ? start() : memory())));
