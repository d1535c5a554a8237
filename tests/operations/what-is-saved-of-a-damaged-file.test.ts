/** A damaged page costs what lies on it, and no more: all else is saved into a new file, and it is told that something is missing. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { copyStores, SDS_DesktopPersistenceProvider, verifyDatabase } from 'sds-persistence-worker';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { command } from '../support/command-line.ts';
import { freshFile, freshFolder } from '../support/files.ts';
import { makeStoreFile } from '../support/store-files.ts';

const PAGE = 4096;
/** Of each kind in each store: a dozen leaves and more of each table, so that there is a first, a middle and a last one. */
const ROWS = 100;

/** Three stores with patches, records and snapshots, and values; one of each kind is larger than a page. */
async function makeSound(dbPath: string): Promise<void> {
  for (const name of ['a', 'b', 'c']) {
    await using provider = new SDS_DesktopPersistenceProvider(dbPath, `the store ${name} ${'-'.repeat(100)}`);
    for (let i = 1; i <= ROWS; i++) {
      void provider.appendPatch(new Uint8Array(i === 50 ? 9000 : 200).fill(i), i);
      void provider.saveRecord(`record ${i}`, new Uint8Array(i === 50 ? 9000 : 200).fill(i));
    }
    await provider.saveSnapshot(new Uint8Array(2500).fill(1), 1);
    for (let i = 1; i <= ROWS; i++) {
      await provider.saveValue(`value ${name} ${i}`, new Uint8Array(i === 50 ? 9000 : 300).fill(i));
    }
  }
}

const folder = mkdtempSync(join(tmpdir(), 'sds-'));
const sound = join(folder, 'sound.db');
/** The rows of that file. */
let whole: string[];

beforeAll(async () => {
  await makeSound(sound);
  whole = readable(sound);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A copy of it, to be spoilt. */
function makeFile(): string {
  const dbPath = freshFile();
  copyFileSync(sound, dbPath);
  return dbPath;
}

function withDatabase<T>(dbPath: string, use: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(dbPath);
  try {
    return use(database);
  } finally {
    database.close();
  }
}

/** The pages of a table or an index, in their order. */
function pagesOf(dbPath: string, name: string, type = 'leaf'): number[] {
  const sql = 'SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ? ORDER BY path';
  return withDatabase(dbPath, (database) =>
    database
      .prepare(sql)
      .all(name, type)
      .map(({ pageno }) => Number(pageno)),
  );
}

function damage(dbPath: string, page: number | undefined, bytes = PAGE): void {
  if (page === undefined) throw new Error('there is no such page');
  const file = openSync(dbPath, 'r+');
  writeSync(file, new Uint8Array(bytes).fill(0xff), 0, bytes, (page - 1) * PAGE);
  closeSync(file);
}

/** As a write that the disk has carried out in another place. */
function copyPage(dbPath: string, from: number | undefined, to: number | undefined): void {
  if (from === undefined || to === undefined) throw new Error('there is no such page');
  const bytes = readFileSync(dbPath);
  bytes.copy(bytes, (to - 1) * PAGE, (from - 1) * PAGE, from * PAGE);
  writeFileSync(dbPath, bytes);
}

const tables = ['patches', 'snapshots', 'sds_records', 'blobs'];

/** Each row that can be read by itself, as text. */
function readable(dbPath: string): string[] {
  return withDatabase(dbPath, (database) =>
    tables.flatMap((table) => {
      const one = database.prepare(`SELECT * FROM ${table} NOT INDEXED WHERE rowid = ?`);
      return Array.from({ length: 3 * ROWS + 1 }, (_, row) => {
        try {
          const found = one.get(row);
          if (found === undefined) return [];
          const data = Buffer.from(found.data as Uint8Array).toString('hex');
          return [`${table} ${JSON.stringify({ ...found, data })}`];
        } catch {
          return [];
        }
      }).flat();
    }),
  );
}

const middle = (pages: number[]) => pages[pages.length >> 1];

const misplaced = tables.flatMap((name): [string, (dbPath: string) => void, number][] => [
  [
    `a later leaf of ${name} in the place of another one`,
    (file) => {
      const leaves = pagesOf(file, name);
      copyPage(file, leaves.at(-1), middle(leaves));
    },
    1,
  ],
  [
    `a leaf of ${name} in the place of what leads to all of them`,
    (file) => copyPage(file, middle(pagesOf(file, name)), pagesOf(file, name, 'internal')[0]),
    1,
  ],
  [
    `a leaf of the index of ${name} in the place of another one`,
    (file) => {
      const leaves = pagesOf(file, `sqlite_autoindex_${name}_1`);
      copyPage(file, leaves.at(-1), middle(leaves));
    },
    0,
  ],
]);

/** Where the number of a row ends in the last entry of an index. */
function renumberInIndex(dbPath: string): void {
  const page = pagesOf(dbPath, 'sqlite_autoindex_patches_1').at(-1);
  const bytes = readFileSync(dbPath);
  const start = ((page ?? 0) - 1) * PAGE;
  const cell = start + bytes.readUInt16BE(start + 8 + 2 * (bytes.readUInt16BE(start + 3) - 1));
  const end = cell + 1 + (bytes[cell] ?? 0); // behind its size, of a byte
  bytes[end - 1] = (bytes[end - 1] ?? 0) ^ 0x80;
  writeFileSync(dbPath, bytes);
}

it.each<[string, (dbPath: string) => void, number]>([
  ...misplaced,
  ['the number of a row in the index of patches', renumberInIndex, 0],
  ...tables.flatMap((name): [string, (dbPath: string) => void, number][] => [
    [`a leaf of ${name}`, (file) => damage(file, middle(pagesOf(file, name))), 1],
    [`the first leaf of ${name}`, (file) => damage(file, pagesOf(file, name)[0]), 1],
    [`the last leaf of ${name}`, (file) => damage(file, pagesOf(file, name).at(-1)), 1],
    [`a leaf of the index of ${name}`, (file) => damage(file, middle(pagesOf(file, `sqlite_autoindex_${name}_1`))), 0],
  ]),
  ...['patches', 'sds_records', 'blobs'].map((name): [string, (dbPath: string) => void, number] => [
    `where a large row of ${name} goes on`,
    (file) => damage(file, pagesOf(file, name, 'overflow')[0], 4),
    1,
  ]),
  [
    'two leaves of patches, and one of their index',
    (file) => {
      const leaves = pagesOf(file, 'patches');
      damage(file, leaves[3]);
      damage(file, leaves[7]);
      damage(file, middle(pagesOf(file, 'sqlite_autoindex_patches_1')));
    },
    1,
  ],
])('%s', async (_, spoil, lost) => {
  const dbPath = makeFile();
  spoil(dbPath);
  const left = readable(dbPath);
  const target = join(freshFolder(), 'saved.db');
  const { LeftOut } = await copyStores(dbPath, target, { Salvage: true });
  expect(readable(target).sort()).toEqual(left.sort());
  expect((await verifyDatabase(target)).Findings.filter(({ Code }) => !Code.startsWith('patch'))).toEqual([]);
  const isLost = whole.length > left.length;
  expect(isLost).toBe(lost > 0);
  expect([LeftOut > 0, LeftOut <= whole.length - left.length]).toEqual([isLost, true]);
});

/** Gives a row of patches another number where it lies; both take two bytes. */
function renumber(dbPath: string, row: number, to: number): void {
  const varint = (number: number) => Buffer.from([0x80 | (number >> 7), number & 0x7f]);
  const leaves = pagesOf(dbPath, 'patches');
  const bytes = readFileSync(dbPath);
  for (const start of leaves.map((page) => (page - 1) * PAGE)) {
    const cells = bytes.readUInt16BE(start + 3);
    for (let cell = 0; cell < cells; cell++) {
      const at = start + bytes.readUInt16BE(start + 8 + 2 * cell) + 1; // behind the size of the row, of a byte
      if (!bytes.subarray(at, at + 2).equals(varint(row))) continue;
      varint(to).copy(bytes, at);
      writeFileSync(dbPath, bytes);
      return;
    }
  }
  throw new Error('there is no such row');
}

const manyPatches = (count: number) =>
  `WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
  INSERT INTO patches SELECT 'long', i, zeroblob(40) FROM n`;

const PATCHES = 13_000;

/** Which of so many patches are on rows that can be found by a number. */
function findable(dbPath: string): Set<unknown> {
  return withDatabase(dbPath, (database) => {
    const one = database.prepare('SELECT clock FROM patches NOT INDEXED WHERE rowid = ?');
    const found = new Set<unknown>();
    for (let row = 1; row <= PATCHES; row++) {
      try {
        for (const { clock } of one.all(row)) found.add(clock);
      } catch {
        // on a page that can't be read
      }
    }
    return found;
  });
}

it.each<[string, (dbPath: string) => void]>([
  ['a higher number than all others', (file) => renumber(file, 4096, 13_500)],
  ['the number of another row', (file) => renumber(file, 4096, 12_288)],
  ['the number of another row, further on', (file) => renumber(file, 4098, 12_288)],
  ['a lower number', (file) => renumber(file, 8905, 200)],
  [
    'a lower number, another one a higher one, and a page can not be read',
    (file) => {
      renumber(file, 8905, 200);
      renumber(file, 12_000, 12_999);
      damage(file, pagesOf(file, 'patches')[1]);
    },
  ],
])('a damaged row bears %s: the rows between are saved', async (_, spoil) => {
  const dbPath = freshFile();
  makeStoreFile(dbPath, { patches: 0, sql: manyPatches(PATCHES) });
  spoil(dbPath);
  const { size } = findable(dbPath);
  const { LeftOut, Patches } = await copyStores(dbPath, join(freshFolder(), 'saved.db'), { Salvage: true });
  expect({ Patches, LeftOut }).toEqual({ Patches: size, LeftOut: PATCHES - size });
});

it('a page leads to the same rows again and again, whatever number behind them is looked for: that ends', async () => {
  const dbPath = makeStoreFile(freshFile(), { patches: 0, sql: manyPatches(PATCHES) });
  const [root = 0] = pagesOf(dbPath, 'patches', 'internal');
  const bytes = readFileSync(dbPath);
  const page = bytes.subarray((root - 1) * PAGE, root * PAGE);
  // twelve bytes, then where each cell lies: a leaf, and the highest number on it. The one in the middle is looked at first
  const cell = page.readUInt16BE(12 + 2 * ((page.readUInt16BE(3) - 1) >> 1));
  page.set(varint(2 ** 14 - 1, 2), cell + 4);
  writeFileSync(dbPath, bytes);
  const { size } = findable(dbPath);
  expect(size).toBeLessThan(PATCHES);
  const { LeftOut, Patches } = await copyStores(dbPath, join(freshFolder(), 'saved.db'), { Salvage: true });
  expect({ Patches, LeftOut }).toEqual({ Patches: size, LeftOut: PATCHES - size });
});

it('what lies between two damaged pages may be more rows than fit into memory', async () => {
  const dbPath = makeStoreFile(freshFile(), { patches: 0, sql: manyPatches(100_000) });
  const leaves = pagesOf(dbPath, 'patches');
  damage(dbPath, leaves[1]);
  damage(dbPath, leaves.at(-2));
  const target = join(freshFolder(), 'saved.db');
  // that of the thread as well
  const saved = await command(['copy', '--salvage', dbPath, target], { flags: ['--max-old-space-size=20'] });
  expect(saved.exitCode).toBe(0);
  expect(saved.stdout).toMatch(/ 99,\d{3} patches/);
});

it('all of a store of more patches than are listed at a time', async () => {
  const dbPath = makeStoreFile(freshFile(), { patches: 0, sql: manyPatches(20_001) });
  const target = join(freshFolder(), 'saved.db');
  expect(await copyStores(dbPath, target, { Salvage: true })).toMatchObject({ Patches: 20_001, LeftOut: 0 });
});

it('a store is found by its name, also if the index does not lead to it', async () => {
  const dbPath = makeFile();
  for (const page of pagesOf(dbPath, 'sqlite_autoindex_patches_1')) damage(dbPath, page);
  const store = `the store c ${'-'.repeat(100)}`;
  const target = join(freshFolder(), 'saved.db');
  expect(await copyStores(dbPath, target, { Salvage: true, Stores: [store] })).toMatchObject({
    Patches: ROWS,
    LeftOut: 0,
  });
});

it('the command line says that rows were left out, and what to do about a file that can not be read', async () => {
  const dbPath = makeFile();
  damage(dbPath, middle(pagesOf(dbPath, 'patches')));
  const saved = await command(['copy', '--salvage', dbPath, join(freshFolder(), 'saved.db')]);
  expect(saved.exitCode).toBe(0);
  expect(saved.stdout).toMatch(/left out: at least \d+ rows that can not be read/);
  const { Findings } = await verifyDatabase(dbPath);
  const unreadable = Findings.find(({ Code }) => Code === 'unreadable');
  expect(unreadable?.Advice).toContain('copy --salvage');
});

it.each([
  ['where its rows lie', 10, (file: string) => damage(file, pagesOf(file, 'patches')[0])],
  ['where its row goes on', 9000, (file: string) => damage(file, pagesOf(file, 'patches', 'overflow')[0], 4)],
] as const)('a file that can not be read %s is an error, and no empty one is made of it', async (_, size, spoil) => {
  const dbPath = freshFile();
  {
    await using provider = new SDS_DesktopPersistenceProvider(dbPath, 'notes');
    await provider.appendPatch(new Uint8Array(size), 1);
  }
  spoil(dbPath);
  const target = join(freshFolder(), 'saved.db');
  const saving = await command(['copy', '--salvage', dbPath, target]);
  expect(saving.exitCode).toBe(1);
  expect(saving.stderr).toContain('nothing that is in this file can be read');
  expect(existsSync(target)).toBe(false);
});

/** As SQLite writes numbers; in this many bytes. */
function varint(number: number, bytes: number): number[] {
  const parts = Array.from({ length: bytes }, (_, i) => Math.floor(number / 128 ** (bytes - 1 - i)) % 128);
  return parts.map((part, i) => (i < bytes - 1 ? part + 128 : part));
}

it('a value that says it is longer than any that SQLite stores costs itself alone', async () => {
  const sql = `INSERT INTO blobs VALUES ('huge', x'${'07'.repeat(600)}', 1)`;
  const dbPath = makeStoreFile(freshFile(), { sql });
  const bytes = readFileSync(dbPath);
  // its cell: size, number, then the head of the row: its own length, and the types of hash, data and count
  const start = bytes.indexOf(`huge${'\u0007'.repeat(10)}`) - 8;
  const number = bytes[start + 2] ?? 0;
  const size = 489 + 4092 * 250_000; // of this, 489 bytes lie in the cell
  const head = [8, 2 * 4 + 13, ...varint(2 * (size - 12) + 12, 5), 9];
  Buffer.from([...varint(size, 5), number, ...head, ...Buffer.from('huge')]).copy(bytes, start);
  writeFileSync(dbPath, bytes);
  const { Findings } = await verifyDatabase(dbPath);
  expect(Findings).toContainEqual(expect.objectContaining({ Code: 'unreadable' }));
  const saved = await copyStores(dbPath, join(freshFolder(), 'saved.db'), { Salvage: true });
  expect(saved).toMatchObject({ Patches: 60, Snapshots: 1, Values: 3, LeftOut: 1 });
  await using provider = new SDS_DesktopPersistenceProvider(dbPath, 'notes');
  await expect(provider.loadValue('huge')).rejects.toMatchObject({ code: 'database-corrupt' });
});

it('a damaged name in the schema is no reason to leave a table out: nothing is saved, and it is told', async () => {
  const dbPath = makeFile();
  const bytes = readFileSync(dbPath);
  bytes[bytes.indexOf('sds_records')] = 0x78;
  writeFileSync(dbPath, bytes);
  const target = freshFile();
  await expect(copyStores(dbPath, target, { Salvage: true })).rejects.toMatchObject({ code: 'database-corrupt' });
  expect(existsSync(target)).toBe(false);
});
