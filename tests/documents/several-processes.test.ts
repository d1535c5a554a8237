/** Several processes that write one document of one file, and merge it whenever they like: no update of any is lost. */
import { YjsPersistence } from 'sds-persistence-worker/yjs';
import { expect, it } from 'vitest';
import * as Y from 'yjs';
import { freshFile, rowsOf } from '../support/files.ts';
import { runEditor } from './documents.ts';

const ROUNDS = 60;

const writer = (name: string) => `
const persistence = new YjsPersistence(file, { Y });
const doc = new Y.Doc();
await persistence.bindState('notes', doc);
const mine = doc.getArray('${name}');
for (let round = 0; round < ${ROUNDS}; round++) {
  const count = 1 + Math.floor(Math.random() * 20);
  const merged = persistence.flushDocument('notes');
  for (let index = 0; index < count; index++) mine.push([mine.length]);
  await merged;
  if (Math.random() < 0.1) await persistence.getYDoc('notes');
}
console.log(mine.length);
await persistence.destroy();`;

it('three of them', async () => {
  const file = freshFile();
  const names = ['one', 'two', 'three'];
  const ended = await Promise.all(names.map((name) => runEditor(writer(name), file)));
  for (const { code, stderr } of ended)
    expect({ code, stderr: stderr.replace(/^.*(WAL_RESET|trace-warn).*\n/gm, '') }).toEqual({ code: 0, stderr: '' });
  const persistence = new YjsPersistence(file, { Y });
  const doc = await persistence.getYDoc('notes');
  for (const [index, name] of names.entries()) {
    const length = Number(ended[index]?.stdout);
    expect(length).toBeGreaterThan(ROUNDS);
    expect(doc.getArray(name).toArray()).toEqual(Array.from({ length }, (_, at) => at));
  }
  await persistence.flushDocument('notes');
  await persistence.destroy();
  expect(rowsOf(file).patches).toEqual([]);
});
