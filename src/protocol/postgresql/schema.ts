/**
 * The tables of a PostgreSQL database, in SQL that CockroachDB and Citus take as well: no sequences, triggers,
 * extensions or foreign keys. Every table begins with what it would be distributed by.
 */

export const SCHEMA_VERSION = 2;

/** Each may run again, also at the same time as in another process. */
export const schemaStatements: readonly string[] = [
  'CREATE TABLE IF NOT EXISTS sds_schema (id int PRIMARY KEY, version int NOT NULL)',
  'CREATE TABLE IF NOT EXISTS sds_patches (store_id text NOT NULL, clock bigint NOT NULL, data bytea NOT NULL, PRIMARY KEY (store_id, clock))',
  'CREATE TABLE IF NOT EXISTS sds_snapshots (store_id text NOT NULL, clock bigint NOT NULL, version text NOT NULL, size bigint NOT NULL, data bytea, PRIMARY KEY (store_id))',
  'CREATE TABLE IF NOT EXISTS sds_snapshot_chunks (store_id text NOT NULL, version text NOT NULL, chunk int NOT NULL, data bytea NOT NULL, PRIMARY KEY (store_id, version, chunk))',
  'CREATE TABLE IF NOT EXISTS sds_values (hash text NOT NULL, ref_count bigint NOT NULL, version text NOT NULL, size bigint NOT NULL, data bytea, PRIMARY KEY (hash))',
  'CREATE TABLE IF NOT EXISTS sds_value_chunks (hash text NOT NULL, version text NOT NULL, chunk int NOT NULL, data bytea NOT NULL, PRIMARY KEY (hash, version, chunk))',
  "CREATE TABLE IF NOT EXISTS sds_holders (session text NOT NULL, generation int NOT NULL, expires timestamptz NOT NULL, fenced boolean NOT NULL, batch int, part int, incarnation text NOT NULL DEFAULT '', PRIMARY KEY (session, generation))",
  'CREATE TABLE IF NOT EXISTS sds_leases (store_id text NOT NULL, epoch bigint NOT NULL, shared boolean NOT NULL, PRIMARY KEY (store_id))',
  'CREATE TABLE IF NOT EXISTS sds_claims (store_id text NOT NULL, session text NOT NULL, generation int NOT NULL, PRIMARY KEY (store_id, session, generation))',
  'CREATE TABLE IF NOT EXISTS sds_long_names (short text NOT NULL, name text NOT NULL, PRIMARY KEY (short))',
  'CREATE TABLE IF NOT EXISTS sds_copies (source text NOT NULL, kind text NOT NULL, name text NOT NULL, ref_count bigint, print text, PRIMARY KEY (source, kind, name))',
  `INSERT INTO sds_schema (id, version) VALUES (1, ${SCHEMA_VERSION}) ON CONFLICT (id) DO NOTHING`,
];

/**
 * The SQL that makes the tables, for operators who do that themselves (`CreateTables: false`).
 *
 * @example
 * writeFileSync('tables.sql', postgresqlSchema)
 */
export const postgresqlSchema: string = schemaStatements.map((statement) => `${statement};\n`).join('');
