/** The tables, in SQL that CockroachDB and Citus take as well. Every table begins with what it would be distributed by. */

export const SCHEMA_VERSION = 5;

/** Of each table, its columns and its primary key. */
const tables: Readonly<Record<string, readonly [columns: string, key: string]>> = {
  sds_patches: ['store_id text NOT NULL, clock bigint NOT NULL, data bytea NOT NULL', 'store_id, clock'],
  sds_snapshots: [
    'store_id text NOT NULL, clock bigint NOT NULL, version text NOT NULL, size bigint NOT NULL, data bytea',
    'store_id',
  ],
  sds_snapshot_chunks: [
    'store_id text NOT NULL, version text NOT NULL, chunk int NOT NULL, data bytea NOT NULL',
    'store_id, version, chunk',
  ],
  sds_values: [
    'hash text NOT NULL, ref_count bigint NOT NULL, version text NOT NULL, size bigint NOT NULL, data bytea',
    'hash',
  ],
  sds_value_chunks: [
    'hash text NOT NULL, version text NOT NULL, chunk int NOT NULL, data bytea NOT NULL',
    'hash, version, chunk',
  ],
  // a key that is too long for an index stands there shortened, and whole in `long_key`
  sds_records: [
    'store_id text NOT NULL, key bytea NOT NULL, long_key bytea, position bigint NOT NULL, data bytea NOT NULL',
    'store_id, key',
  ],
  sds_holders: [
    'session text NOT NULL, generation int NOT NULL, expires timestamptz NOT NULL, fenced boolean NOT NULL, ' +
      "batch int, part int, incarnation text NOT NULL DEFAULT ''",
    'session, generation',
  ],
  sds_stores: ['store_id text NOT NULL, shared boolean NOT NULL', 'store_id'],
  sds_claims: [
    'store_id text NOT NULL, session text NOT NULL, generation int NOT NULL',
    'store_id, session, generation',
  ],
  sds_long_names: ['short text NOT NULL, name text NOT NULL', 'short'],
  sds_copies: ['source text NOT NULL, label text NOT NULL, print text NOT NULL', 'source'],
};

/** Each may run again, also at the same time as in another process. */
export const schemaStatements: readonly string[] = [
  'CREATE TABLE IF NOT EXISTS sds_schema (id int PRIMARY KEY, version int NOT NULL)',
  ...Object.entries(tables).map(
    ([table, [columns, key]]) => `CREATE TABLE IF NOT EXISTS ${table} (${columns}, PRIMARY KEY (${key}))`,
  ),
  'CREATE INDEX IF NOT EXISTS sds_records_by_position ON sds_records (store_id, position)',
  `INSERT INTO sds_schema (id, version) VALUES (1, ${SCHEMA_VERSION}) ON CONFLICT (id) DO NOTHING`,
];

/**
 * Fail where a table or a column is missing, or a key, as after half a restoration: other columns may stand beside those of the primary
 * key that is grouped by alone. A table that has others besides is fine.
 */
export function shapeStatements(): string[] {
  return Object.entries(tables).map(([table, [columns, key]]) => {
    const names = columns.split(', ').map((column) => column.split(' ', 1)[0]);
    return `SELECT ${names.join(', ')} FROM ${table} GROUP BY ${key} LIMIT 0`;
  });
}

/**
 * The SQL that makes the tables, for operators who do that themselves (`CreateTables: false`).
 *
 * @example
 * writeFileSync('tables.sql', postgresqlSchema)
 */
export const postgresqlSchema: string = schemaStatements.map((statement) => `${statement};\n`).join('');
