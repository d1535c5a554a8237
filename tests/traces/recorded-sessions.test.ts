/**
 * Recorded sessions of real people, through the provider as a sync engine calls it, are restored byte
 * for byte by a fresh process. They are not part of this project: they lie in the folder that
 * SDS_TRACES names, or in `../shared/traces` beside the project.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { EditedDocument } from '../../demo/edited-document.ts';
import { openProvider } from '../../demo/open-provider.ts';
import { readTrace } from '../../demo/recorded-trace.ts';
import { SyncEngine } from '../../demo/sync-engine.ts';
import { runRestore } from '../demo/demo-process.ts';
import { freshFolder, rowsOf } from '../support/files.ts';

const folder = process.env.SDS_TRACES ?? join(import.meta.dirname, '../../../shared/traces');
const missing = `there are no recorded sessions in ${folder}; SDS_TRACES can name their folder`;
// a reason for skipping is not printed by itself
if (!existsSync(folder)) console.warn(`skipped: ${missing}`);

/** Edits between two turns of the event loop. */
const EDITS_A_TURN = 50;

const recordings = [
  { name: 'sveltecomponent', transactions: 18_335, characters: 18_451 },
  { name: 'friendsforever_flat', transactions: 26_078, characters: 21_362 },
  { name: 'rustcode', transactions: 36_981, characters: 65_218 },
];

test.for(recordings)('$name is restored byte for byte', async ({ name, transactions: count, characters }, { skip }) => {
  const trace = join(folder, `${name}.json.gz`);
  if (!existsSync(folder)) skip(missing);

  const { transactions, text } = readTrace(trace);
  expect(transactions).toHaveLength(count);
  expect(text).toHaveLength(characters);

  const work = freshFolder();
  const db = join(work, 'store.db');
  const provider = openProvider('worker', db);
  const engine = new SyncEngine(provider);
  const doc = new EditedDocument((update) => engine.append(update));
  for (const [index, transaction] of transactions.entries()) {
    doc.edit(transaction);
    if (engine.snapshotDue) engine.takeSnapshot(doc.snapshot());
    if (index % EDITS_A_TURN === 0) await setImmediate();
  }
  await provider.close();
  expect(engine.failure).toBeUndefined();
  expect(engine.patches).toBe(count);

  const rows = rowsOf(db);
  const snapshotAt = Number(rows.snapshots[0]?.clock ?? 0);
  expect(rows.snapshots).toHaveLength(Math.min(engine.snapshots, 1));
  // a prune at n keeps n and all that came after
  expect(rows.patches).toHaveLength(snapshotAt === 0 ? count : count - snapshotAt + 1);

  const expected = join(work, 'expected.txt');
  writeFileSync(expected, text);
  const { code, stdout } = await runRestore('worker', db, expected);
  expect(JSON.parse(stdout)).toMatchObject({ same: true, patches: rows.patches.length, textBytes: characters });
  expect(code).toBe(0);
});

test('at least one of them is long enough for snapshots and prunes', ({ skip }) => {
  const trace = join(folder, 'rustcode.json.gz');
  if (!existsSync(folder)) skip(missing);
  let bytes = 0;
  const doc = new EditedDocument((update) => {
    bytes += update.byteLength;
  });
  for (const transaction of readTrace(trace).transactions) doc.edit(transaction);
  expect(bytes).toBeGreaterThan(2 * 512 * 1024);
});
