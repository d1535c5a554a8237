/** The main process's part of the application, with documents in the place of windows, and however its process ends. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import * as Y from 'yjs';
import { Documents } from '../documents.mjs';

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'notes-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** As a window does it. */
async function openWindow(documents: Documents, name = 'notes') {
  const doc = new Y.Doc();
  const own = {};
  const state = await documents.show(name, own, (update) => Y.applyUpdate(doc, update, documents));
  Y.applyUpdate(doc, state, documents);
  doc.on('update', (update: Uint8Array, origin: unknown) => {
    if (origin !== documents) documents.change(name, own, update);
  });
  const text = doc.getText('text');
  return { text, close: () => documents.leave(own) };
}

it('two windows show the same; what they change is there when the application is started again', async () => {
  const file = join(freshFolder(), 'notes.db');
  const first = new Documents(file);
  const [one, other] = [await openWindow(first), await openWindow(first)];
  one.text.insert(0, 'one ');
  other.text.insert(4, 'other');
  expect(one.text.toString()).toBe('one other');
  await one.close();
  other.text.insert(9, '!');
  await other.close();
  expect((await openWindow(first)).text.toString()).toBe('one other!');
  await first.close();
  const second = new Documents(file);
  expect(await second.names()).toEqual(['notes']);
  expect((await openWindow(second)).text.toString()).toBe('one other!');
  await second.close();
});

it.each([
  ['process.exit()', 'process.exit(0)'],
  [
    'an uncaught error',
    "process.exitCode = 0; process.on('uncaughtException', () => process.exit(0)); throw new Error('on purpose')",
  ],
  ['nothing left to do', ''],
])('the process ends by %s in the turn of the last change: it is stored', async (_, end) => {
  const folder = freshFolder();
  const file = join(folder, 'notes.db');
  const url = (path: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, path)).href);
  const program = join(folder, 'main.mjs');
  writeFileSync(
    program,
    `import { Documents } from ${url('../documents.mjs')};
import * as Y from ${url('../../../node_modules/yjs/dist/yjs.mjs')};
const documents = new Documents(${JSON.stringify(file)});
await documents.show('notes', 'window', () => {});
const doc = new Y.Doc();
doc.on('update', (update) => documents.change('notes', 'window', update));
for (let i = 0; i < 1000; i++) doc.getText('text').insert(i, 'x');
${end}`,
  );
  execFileSync(process.execPath, [program], { stdio: 'pipe' });
  const next = new Documents(file);
  expect((await openWindow(next)).text.toString()).toBe('x'.repeat(1000));
  await next.close();
});
