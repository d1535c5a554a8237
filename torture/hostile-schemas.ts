/** Schemas in which the provider's statements would do something else than they say, and some that only look odd. */

const snapshots = 'CREATE TABLE snapshots (store_id TEXT PRIMARY KEY, data BLOB NOT NULL, clock INTEGER NOT NULL);';
const patches =
  'CREATE TABLE patches (store_id TEXT NOT NULL, clock INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, clock));';
const blobs = 'CREATE TABLE blobs (hash TEXT PRIMARY KEY, data BLOB NOT NULL, ref_count INTEGER NOT NULL DEFAULT 0);';
const records =
  'CREATE TABLE sds_records (store_id TEXT NOT NULL, key TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, key));';
const ours = `${snapshots} ${patches} ${blobs}`;

/** Each is refused with `schema-mismatch`, untouched. */
export const otherSchemas: Record<string, string> = {
  'other columns': 'CREATE TABLE patches (id INTEGER PRIMARY KEY, text TEXT)',
  'a column more': `${snapshots} ${blobs} CREATE TABLE patches (store_id TEXT NOT NULL, clock INTEGER NOT NULL, data BLOB NOT NULL, extra TEXT, PRIMARY KEY (store_id, clock))`,
  'a column less': 'CREATE TABLE blobs (hash TEXT PRIMARY KEY, data BLOB NOT NULL)',
  'other types': 'CREATE TABLE snapshots (store_id TEXT PRIMARY KEY, data TEXT NOT NULL, clock INTEGER NOT NULL)',
  'no primary key': 'CREATE TABLE patches (store_id TEXT NOT NULL, clock INTEGER NOT NULL, data BLOB NOT NULL)',
  'the primary key in another order':
    'CREATE TABLE patches (store_id TEXT NOT NULL, clock INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (clock, store_id))',
  'a CHECK constraint':
    'CREATE TABLE blobs (hash TEXT PRIMARY KEY, data BLOB NOT NULL, ref_count INTEGER NOT NULL DEFAULT 0 CHECK (ref_count < 3))',
  'a generated column':
    'CREATE TABLE snapshots (store_id TEXT PRIMARY KEY, data BLOB NOT NULL, clock INTEGER NOT NULL, more AS (clock + 1))',
  'a conflict clause':
    'CREATE TABLE patches (store_id TEXT NOT NULL, clock INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, clock) ON CONFLICT REPLACE)',
  'a collation':
    'CREATE TABLE blobs (hash TEXT COLLATE NOCASE PRIMARY KEY, data BLOB NOT NULL, ref_count INTEGER NOT NULL DEFAULT 0)',
  'a foreign key': `CREATE TABLE other (id TEXT PRIMARY KEY); CREATE TABLE blobs (hash TEXT PRIMARY KEY REFERENCES other (id), data BLOB NOT NULL, ref_count INTEGER NOT NULL DEFAULT 0)`,
  'a unique index': `${ours} CREATE UNIQUE INDEX one_each ON patches (store_id)`,
  'a partial index': `${ours} CREATE INDEX some ON patches (clock) WHERE clock > 5`,
  'an index on an expression': `${ours} CREATE INDEX odd ON blobs (length(data))`,
  'a trigger before': `${ours} CREATE TRIGGER thief BEFORE INSERT ON patches BEGIN SELECT RAISE(IGNORE); END`,
  'a trigger after': `${ours} CREATE TABLE log (text); CREATE TRIGGER spy AFTER UPDATE ON blobs BEGIN INSERT INTO log VALUES (new.hash); END`,
  'a view in place of a table': "CREATE VIEW patches AS SELECT 'store' AS store_id, 1 AS clock, x'00' AS data",
  'a view with a trigger': `CREATE VIEW blobs AS SELECT 'a' AS hash, x'00' AS data, 1 AS ref_count; CREATE TRIGGER t INSTEAD OF INSERT ON blobs BEGIN SELECT 1; END`,
  'an index with the name of a table': 'CREATE TABLE other (a); CREATE INDEX snapshots ON other (a)',
  'records of another program': `${ours} CREATE TABLE sds_records (id INTEGER PRIMARY KEY, text TEXT)`,
  'records without a rowid': `${ours} ${records.replace(';', ' WITHOUT ROWID;')}`,
  'a trigger on records': `${ours} ${records} CREATE TRIGGER t AFTER INSERT ON sds_records BEGIN DELETE FROM sds_records; END`,
  'a virtual table': 'CREATE VIRTUAL TABLE patches USING fts5 (store_id, clock, data)',
};

/** Each works. */
export const soundSchemas: Record<string, string> = {
  'our own schema': ours,
  'other letters':
    'CREATE TABLE "Patches" (Store_Id text not null, Clock integer not null, Data blob not null, primary key (store_id, clock))',
  'other tables beside ours': `${ours} CREATE TABLE more (a CHECK (a > 1)); CREATE TRIGGER t AFTER INSERT ON more BEGIN DELETE FROM more; END; CREATE VIEW v AS SELECT * FROM patches`,
  'an index that restricts nothing': `${ours} CREATE INDEX by_clock ON patches (clock)`,
  'only some of the tables': snapshots,
  'our own schema, with records': `${ours} ${records}`,
};
