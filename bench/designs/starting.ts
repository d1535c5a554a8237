/** Ways to start a worker, and what it loads and opens before it answers. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { schema } from '../drivers/schema.ts';
import type { Work } from '../work/work.ts';

const LOADS_SQLITE = 1;
const OPENS_DATABASE = 2;

/** `depth`: 0 only answers, 1 loads `node:sqlite`, 2 makes a database besides; `fromFile`: its code is a file. */
export const starting: Work = async ({ folder, sizes }) => {
  const { depth = OPENS_DATABASE, fromFile = 0 } = sizes;
  const lines = ["const { parentPort } = require('node:worker_threads')"];
  if (depth >= LOADS_SQLITE) lines.push("const { DatabaseSync } = require('node:sqlite')");
  if (depth >= OPENS_DATABASE) {
    lines.push(`const database = new DatabaseSync(${JSON.stringify(join(folder, 'store.db'))})`);
    lines.push("database.exec('PRAGMA journal_mode = WAL')", `database.exec(${JSON.stringify(schema)})`);
  }
  lines.push('parentPort.postMessage(0)');
  const code = lines.join(';\n');
  const file = join(folder, 'worker.cjs');
  if (fromFile === 1) writeFileSync(file, code);
  const begin = performance.now();
  const worker = fromFile === 1 ? new Worker(file) : new Worker(code, { eval: true });
  await once(worker, 'message');
  const firstAnswerMs = performance.now() - begin;
  await worker.terminate();
  return { firstAnswerMs };
};
