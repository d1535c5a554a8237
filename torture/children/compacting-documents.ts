/**
 * One of two processes that have a document open together, and a document of its own each, which it also deletes while it is open. Any of
 * the three is merged at random. It tells what is acknowledged of what it has done.
 */
import { writeSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { YjsPersistence } from 'sds-persistence-worker/yjs';
import * as Y from 'yjs';
import { change, countOf } from '../counted-document.ts';
import type { Task } from '../documents-compacting.ts';
import { Random } from '../random.ts';
import { codeOf } from '../rig.ts';

const { place, index, rounds, seed } = JSON.parse(process.argv[2] ?? '{}') as Task;
const random = new Random(seed);
const say = (line: string) => writeSync(1, `${line}\n`);
const persistence = new YjsPersistence(place, {
  Y,
  ownership: 'shared',
  busyTimeoutMs: 60_000,
  onError: (error) => say(`failed ${codeOf(error)}`),
});
const [owned, others] = [`own-${index}`, `own-${1 - index}`];
const listOf = (doc: Y.Doc) => doc.getArray<number>(`list-${index}`);

async function open(name: string): Promise<Y.Doc> {
  const doc = new Y.Doc();
  await persistence.bindState(name, doc);
  return doc;
}

let shared = await open('shared');
const own = await open(owned);
let isDeleted = true;

let under: Promise<void>[] = [];

for (let round = 0; round < rounds; round++) {
  for (const name of ['shared', owned, others]) if (random.chance(0.3)) under.push(merge(name));
  for (let more = random.below(20); more > 0; more--) append();
  if (random.chance(0.5)) await nextTurn();
  if (random.chance(0.1)) await remove();
  for (let more = random.below(5); more > 0; more--) changeOwn();
  if (random.chance(0.7)) await settled();
  if (random.chance(0.05)) await reopen();
}
await settled();
if (random.chance(0.3)) await remove();
say(`end ${listOf(shared).length} ${isDeleted ? 'deleted' : countOf(own)}`);
await persistence.destroy();

async function settled(): Promise<void> {
  await Promise.all(under);
  under = [];
}

function append(): void {
  const list = listOf(shared);
  list.push([list.length]);
}

function changeOwn(): void {
  change(own);
  isDeleted = false;
}

/** Whatever becomes of the merging: it loads what is stored, so all that was called before is stored. */
async function merge(name: string): Promise<void> {
  const { length } = listOf(shared);
  await persistence.flushDocument(name);
  if (name === 'shared') say(`acknowledged ${length}`);
}

/** Also while it is merged, here or by the other process. */
async function remove(): Promise<void> {
  isDeleted = true;
  await persistence.clearDocument(owned);
  say('deleted');
}

async function reopen(): Promise<void> {
  const { length } = listOf(shared);
  const left = shared;
  await persistence.writeState('shared', left);
  shared = await open('shared');
  left.destroy();
  const found = listOf(shared).length;
  if (found !== length) say(`wrong: left with ${length} of its own, found with ${found}`);
}
