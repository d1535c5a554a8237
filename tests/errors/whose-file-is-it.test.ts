/** Which files are taken for ours: those with our tables, however they were written, and no others. */
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';

const patches =
  'CREATE TABLE patches (store_id TEXT NOT NULL, clock INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, clock))';

function fileWith(sql: string): string {
  const file = freshFile();
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
  return file;
}

const ours: Record<string, string> = {
  'tables as the synchronous provider makes them': patches,
  'other spelling, quotes and comments': `create table "Patches" ( -- UNIQUE CHECK
    'store_id' text not null, [clock] integer /* ON CONFLICT REPLACE */ NOT NULL, \`data\` Blob Not Null, primary key(store_id,clock))`,
  'a constraint whose name is a keyword': patches.replace(
    'data BLOB NOT NULL',
    'data BLOB CONSTRAINT "unique" NOT NULL',
  ),
  'other tables beside ours, with triggers and views of their own': `${patches}; CREATE TABLE notes (id, text);
    CREATE TRIGGER t AFTER INSERT ON notes BEGIN DELETE FROM notes; END; CREATE VIEW v AS SELECT * FROM notes`,
  'a plain index on one of ours': `${patches}; CREATE INDEX by_clock ON patches (clock)`,
};

const strangers: Record<string, string> = {
  'other columns': 'CREATE TABLE patches (id INTEGER PRIMARY KEY, data BLOB NOT NULL)',
  'a further column': patches.replace('data BLOB NOT NULL', 'data BLOB NOT NULL, author TEXT'),
  'a generated column': patches.replace('data BLOB NOT NULL', 'data BLOB NOT NULL, n AS (length(data))'),
  'a CHECK': patches.replace('data BLOB NOT NULL', 'data BLOB NOT NULL CHECK (length(data) < 3)'),
  'a UNIQUE that replaces': patches.replace('data BLOB NOT NULL', 'data BLOB NOT NULL UNIQUE ON CONFLICT REPLACE'),
  'a UNIQUE between comments that are names': patches.replace(
    'data BLOB NOT NULL',
    'data BLOB NOT NULL CONSTRAINT "/*" UNIQUE ON CONFLICT REPLACE CONSTRAINT "*/" NOT NULL',
  ),
  'no row numbers, which operations go by': `${patches} WITHOUT ROWID`,
  'a unique index': `${patches}; CREATE UNIQUE INDEX u ON patches (data)`,
  'an index on an expression': `${patches}; CREATE INDEX e ON patches (length(data))`,
  'a trigger on one of ours': `${patches}; CREATE TRIGGER t AFTER INSERT ON patches BEGIN DELETE FROM patches; END`,
  'a view by the name of one of ours': 'CREATE TABLE p (store_id, clock, data); CREATE VIEW patches AS SELECT * FROM p',
};

describe('a file is taken for ours with', () => {
  for (const [what, sql] of Object.entries(ours)) {
    it(what, async () => {
      const provider = new SDS_DesktopPersistenceProvider(fileWith(sql), 'store');
      await provider.appendPatch(patchOf(1), 1);
      expect(await provider.loadPatchesSince(0)).toEqual([patchOf(1)]);
      await provider.close();
    });
  }
});

describe('a file is refused with schema-mismatch, and left as it is, with', () => {
  for (const [what, sql] of Object.entries(strangers)) {
    it(what, async () => {
      const file = fileWith(sql);
      const before = readFileSync(file);
      const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      await expect(provider.appendPatch(patchOf(1), 1)).rejects.toMatchObject({ code: 'schema-mismatch' });
      await provider.close();
      expect(readFileSync(file).equals(before)).toBe(true);
    });
  }
});

describe('a table that another program changes while it is open', () => {
  it('and that keeps a patch out by a constraint: the call is rejected, not ignored', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.appendPatch(patchOf(1), 1);
    const other = new DatabaseSync(file);
    other.exec(
      `DROP TABLE patches; ${patches.replace('data BLOB NOT NULL', 'data BLOB NOT NULL CHECK (length(data) < 3)')}`,
    );
    other.close();
    await expect(provider.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'schema-mismatch' });
    await expect(provider.appendPatch(new Uint8Array(100_000), 3)).rejects.toMatchObject({ code: 'schema-mismatch' });
    await provider.appendPatch(new Uint8Array(2), 4);
    expect(await provider.loadPatchesSince(0)).toEqual([new Uint8Array(2)]);
    await provider.close();
  });
});
