/** If what is restored is not what was written, the demo says so and ends with 1. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { beforeEach, expect, test } from 'vitest';
import { bytesOf, type ExpectedBinaries, hashOf } from '../../demo/binaries.ts';
import { EditedDocument } from '../../demo/edited-document.ts';
import { openProvider } from '../../demo/open-provider.ts';
import { typeSession } from '../../demo/typist.ts';
import { freshFolder } from '../support/files.ts';
import { runDemo, runRestore } from './demo-process.ts';

let folder: string;
let db: string;
let expected: string;

beforeEach(async () => {
  folder = freshFolder();
  db = join(folder, 'store.db');
  expected = join(folder, 'expected.txt');
  const { transactions, text } = typeSession(3, 300);
  const provider = openProvider('worker', db);
  let patches = 0;
  const doc = new EditedDocument((update) => void provider.appendPatch(update, ++patches));
  for (const transaction of transactions) doc.edit(transaction);
  await provider.close();
  writeFileSync(expected, text);
});

function change(sql: string): void {
  const database = new DatabaseSync(db);
  expect(database.prepare(sql).run().changes).toBe(1);
  database.close();
}

for (const side of ['worker', 'reference'] as const) {
  test(`the ${side} restores an untouched file and finds the document the same`, async () => {
    const { code, stdout } = await runRestore(side, db, expected);
    expect(JSON.parse(stdout)).toMatchObject({ same: true, patches: 300 });
    expect(code).toBe(0);
  });

  test(`the ${side} notices a patch that is gone`, async () => {
    change('DELETE FROM patches WHERE clock = 100');
    const { code, stdout } = await runRestore(side, db, expected);
    expect(JSON.parse(stdout)).toMatchObject({ same: false, patches: 299 });
    expect(JSON.parse(stdout).difference).toContain('first difference is at byte');
    expect(code).toBe(1);
  });

  test(`the ${side} notices a patch in which one letter was changed`, async () => {
    // the first patch inserts one letter: it ends with the letter and an empty list of deletions
    change(
      `UPDATE patches SET data = CAST(substr(data, 1, length(data) - 2) || x'23' || substr(data, -1) AS BLOB) WHERE clock = 1`,
    );
    const { code, stdout } = await runRestore(side, db, expected);
    expect(JSON.parse(stdout)).toMatchObject({ same: false, patches: 300 });
    expect(JSON.parse(stdout).difference).toContain('first difference is at byte 0');
    expect(code).toBe(1);
  });

  test(`the ${side} says what is wrong with a file that is not there, and does not make one`, async () => {
    rmSync(db);
    const { code, stdout, stderr } = await runRestore(side, db, expected);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain('there is no file');
    // nor did it make one
    expect((await runRestore(side, db, expected)).stderr).toContain('there is no file');
  });
}

test('pictures of the document, and large values beside it, must be there with the bytes that were stored', async () => {
  const binaries = join(folder, 'expected.json');
  db = join(folder, 'pictures.db'); // the editor of the other document has the same number as this one's
  writeFileSync(expected, '');
  const value = bytesOf({ bytes: 100_000, seed: 1 });
  const provider = openProvider('worker', db);
  await provider.saveValue(hashOf(value), value);
  const picture = new EditedDocument((update) => void provider.appendPatch(update, 1));
  picture.edit({ edits: [], pause: 1, picture: { bytes: 5000, seed: 2 } });
  await provider.close();
  const restore = async (expectedBinaries: ExpectedBinaries) => {
    writeFileSync(binaries, JSON.stringify(expectedBinaries));
    const { code, stdout } = await runRestore('worker', db, expected, binaries);
    return { code, ...JSON.parse(stdout) };
  };
  const values = [hashOf(value)];
  expect(await restore({ pictures: [], values })).toMatchObject({
    code: 1,
    difference: expect.stringContaining('1 pictures'),
  });
  const pictures = [hashOf(bytesOf({ bytes: 5000, seed: 2 }))];
  expect(await restore({ pictures, values })).toMatchObject({ code: 0, same: true });
  expect(await restore({ pictures: values, values })).toMatchObject({
    code: 1,
    difference: expect.stringContaining('picture 1'),
  });
  change("UPDATE blobs SET data = CAST('x' || substr(data, 2) AS BLOB)");
  expect(await restore({ pictures, values })).toMatchObject({
    code: 1,
    difference: expect.stringContaining('other bytes'),
  });
  change('DELETE FROM blobs');
  expect(await restore({ pictures, values })).toMatchObject({
    code: 1,
    difference: expect.stringContaining('missing'),
  });
});

test('the demo ends with 1, and says on which side, if a file loses a patch before it is restored', async () => {
  // comes before the restore program in its own process, and takes a patch out of this package's file
  const thief = join(folder, 'thief.mjs');
  writeFileSync(
    thief,
    `import { DatabaseSync } from 'node:sqlite';
     const [, program, side, db] = process.argv;
     if (program?.endsWith('restore-process.ts') && side === 'worker') {
       const database = new DatabaseSync(db);
       database.exec('DELETE FROM patches WHERE clock = 20');
       database.close();
     }`,
  );
  const env = { NODE_OPTIONS: `--import ${pathToFileURL(thief)}` };
  const svg = join(folder, 'delay.svg');
  const { code, stdout, stderr } = await runDemo(['--edits', '100', '--json', '--svg', svg], env);
  expect(code).toBe(1);
  const { sides } = JSON.parse(stdout);
  expect(sides.worker.restored).toMatchObject({ same: false, patches: 99 });
  expect(sides.reference.restored).toMatchObject({ same: true, patches: 100 });
  expect(stderr).toMatch(/this package: the restored document has \d+ bytes, expected are \d+/);
});

test('the demo ends with 1 and says why if a side can not persist the session', async () => {
  // makes the folder vanish in which the database is to be, before the process opens it
  const thief = join(folder, 'thief.mjs');
  writeFileSync(
    thief,
    `import { rmSync } from 'node:fs';
     import { dirname } from 'node:path';
     if (process.argv[1]?.endsWith('play-process.ts')) {
       process.prependListener('message', ({ dbPath }) => rmSync(dirname(dbPath), { recursive: true }));
     }`,
  );
  const env = { NODE_OPTIONS: `--import ${pathToFileURL(thief)}` };
  const svg = join(folder, 'delay.svg');
  const { code, stdout, stderr } = await runDemo(['--edits', '100', '--json', '--svg', svg], env);
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toContain('The session could not be persisted (worker)');
});
