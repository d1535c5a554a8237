/** Which Yjs the merging thread takes: the program's own, of whatever version, or none. */
import { pathToFileURL } from 'node:url';
import { YjsPersistence } from 'sds-persistence-worker/yjs';
import { expect, it, onTestFinished } from 'vitest';
import * as Y from 'yjs';
import * as Y14 from 'yjs-14';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { persistenceOn, runEditor, storedText, type } from './documents.ts';

const yjs14 = new URL(import.meta.resolve('yjs-14'));

it('Yjs 14: a document is bound, merged and opened again', async () => {
  const file = freshFile();
  const warnings: Error[] = [];
  const warn = (warning: Error) => void warnings.push(warning);
  process.on('warning', warn);
  onTestFinished(() => void process.off('warning', warn));
  const persistence = new YjsPersistence(file, { Y: Y14, yjs: yjs14 });
  const doc = new Y14.Doc();
  await persistence.bindState('notes', doc);
  for (const character of 'fourteen') doc.getText('text').insert(doc.getText('text').length, character);
  await persistence.flushDocument('notes');
  await persistence.writeState('notes', doc);
  const again = await persistence.getYDoc('notes');
  expect(again.getText('text').toString()).toBe('fourteen');
  expect(await persistence.getStateVector('notes')).toEqual(Y14.encodeStateVector(doc));
  await persistence.destroy();
  expect(rowsOf(file).patches).toEqual([]);
  expect(warnings).toEqual([]);
});

it('one of another version is not taken: documents are merged in the calling thread, and a warning says so', async () => {
  const file = freshFile();
  // what is found from here is Yjs 13
  const { code, stdout, stderr } = await runEditor(
    `const Y14 = await import(${JSON.stringify(yjs14.href)});
    process.on('warning', ({ code, message }) => console.log(code, message));
    const persistence = new YjsPersistence(file, { Y: Y14 });
    const doc = new Y14.Doc();
    await persistence.bindState('notes', doc);
    doc.getText('text').insert(0, 'fourteen');
    await persistence.flushDocument('notes');
    await persistence.flushDocument('notes');
    await persistence.destroy();`,
    file,
  );
  expect({ code, stderr: stderr.replace(/^\(node.*\n/gm, '') }).toMatchObject({ code: 0 });
  expect(stdout).toMatch(
    /^SDS_NO_MERGING_THREAD .*another version than the program's.*The option 'yjs' names the module.*\n$/,
  );
  const { snapshots, patches } = rowsOf(file);
  expect({ snapshots: snapshots.length, patches: patches.length }).toEqual({ snapshots: 1, patches: 0 });
});

it('a module that can not be loaded is named, and nothing is lost', async () => {
  const file = freshFile();
  const missing = pathToFileURL(`${freshFolder()}/none.mjs`);
  const warnings: string[] = [];
  const warn = ({ message }: Error) => void warnings.push(message);
  process.on('warning', warn);
  onTestFinished(() => void process.off('warning', warn));
  const persistence = persistenceOn(file, { yjs: missing });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  type(doc, 'here');
  await persistence.flushDocument('notes');
  await persistence.writeState('notes', doc);
  await persistence.destroy();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain('none.mjs');
  expect(rowsOf(file).patches).toEqual([]);
  expect(await storedText(file)).toBe('here');
});

it.each([
  ['no Yjs', {}, /the option Y is missing/],
  ['what is none', { Y: {} }, /Y must be the module yjs/],
  ['an option that there is not', { Y, Gc: true }, /there is no option 'Gc'/],
  ['a wrong value', { Y, gc: 1 }, /gc must be true or false/],
  ['a wrong value of the provider', { Y, durability: 'some' }, /^durability must be 'normal' or 'full'/],
])('%s is refused at once', (_, options, message) => {
  expect(() => new YjsPersistence(freshFile(), options as never)).toThrow(
    expect.objectContaining({ code: 'invalid-argument', message: expect.stringMatching(message) }),
  );
});
