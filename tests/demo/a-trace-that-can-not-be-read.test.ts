/** A recorded session that is missing or broken: exit code 2, and one sentence that says in what way. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { readTrace, TraceError } from '../../demo/recorded-trace.ts';
import { freshFolder } from '../support/files.ts';
import { packed, runDemo } from './demo-process.ts';

async function refusalOf(path: string): Promise<string> {
  const { code, stdout, stderr } = await runDemo(['--trace', path, '--json']);
  expect(stdout).toBe('');
  expect(code).toBe(2);
  expect(stderr).toMatch(/^The trace '.*' can't be replayed: .*\.\n$/);
  return stderr;
}

test('a file that is not there', async () => {
  expect(await refusalOf(join(freshFolder(), 'missing.gz'))).toContain('there is no such file');
});

test('a folder', async () => {
  const folder = join(freshFolder(), 'folder.gz');
  mkdirSync(folder);
  expect(await refusalOf(folder)).toContain('it could not be read (EISDIR)');
});

const good = { startContent: '', endContent: 'ab', txns: [{ patches: [[0, 0, 'ab']] }] };
const whole = packed(good);
const edit = (...patch: unknown[]) => packed({ ...good, txns: [{ patches: [[0, 0, 'ab'], patch] }] });
const shape = 'transaction 1 has an edit that is not [position, deletedCount, insertedText]';

const cases: [what: string, content: Buffer, words: string][] = [
  ['plain text that is not JSON', Buffer.from('startContent'), 'what is in it is not JSON'],
  ['an empty file', Buffer.alloc(0), 'what is in it is not JSON'],
  ['a file that was cut off', whole.subarray(0, whole.length - 12), 'it is gzipped, but damaged'],
  ['a file of two bytes', whole.subarray(0, 2), 'it is gzipped, but damaged'],
  ['gzipped text that is not JSON', gzipSync('{"startContent'), 'what is in it is not JSON'],
  ['JSON of another kind', packed([good]), 'it is not a JSON object'],
  ['JSON null', packed(null), 'it is not a JSON object'],
  ['no start content', packed({ ...good, startContent: undefined }), "its 'startContent' is not a string"],
  ['no end content', packed({ ...good, endContent: 5 }), "its 'endContent' is not a string"],
  ['no transactions', packed({ ...good, txns: {} }), "its 'txns' is not an array"],
  ['a transaction without edits', packed({ ...good, txns: [{}] }), "transaction 1 has no array 'patches'"],
  ['a transaction that is null', packed({ ...good, txns: [null] }), "transaction 1 has no array 'patches'"],
  ['an edit that is too short', edit(0, 0), shape],
  ['an edit at a fraction', edit(0.5, 0, 'c'), shape],
  ['an edit before the start', edit(-1, 0, 'c'), shape],
  ['an edit that inserts a number', edit(0, 0, 7), shape],
  ['an edit that is no array', packed({ ...good, txns: [{ patches: ['a'] }] }), shape],
  ['an edit beyond the end', edit(3, 0, 'c'), 'transaction 1, edit 2 reaches to 3 in a text of 2 characters'],
  ['a deletion beyond the end', edit(1, 2, ''), 'transaction 1, edit 2 reaches to 3 in a text of 2 characters'],
  ['another end', packed({ ...good, endContent: 'abc' }), "its edits do not lead to its 'endContent'"],
];
for (const [what, content, words] of cases) {
  test(what, () => {
    const path = join(freshFolder(), 'trace.json.gz');
    writeFileSync(path, content);
    expect(() => readTrace(path)).toThrow(TraceError);
    expect(() => readTrace(path)).toThrow(`The trace '${path}' can't be replayed: ${words}.`);
  });
}

test('plain JSON is read like gzipped JSON', () => {
  const folder = freshFolder();
  const [plainPath, packedPath] = [join(folder, 'plain'), join(folder, 'packed')];
  writeFileSync(plainPath, JSON.stringify(good));
  writeFileSync(packedPath, whole);
  const { transactions, text } = readTrace(plainPath);
  expect({ transactions, text }).toEqual({ transactions: [{ edits: [[0, 0, 'ab']], pause: 1 }], text: 'ab' });
  expect(readTrace(packedPath)).toMatchObject({ transactions, text });
});

test('each of them ends the demo with 2', async () => {
  for (const content of [Buffer.from('{'), gzipSync('{'), packed([]), edit(3, 0, 'c')]) {
    const path = join(freshFolder(), 'trace.json.gz');
    writeFileSync(path, content);
    await refusalOf(path);
  }
});
