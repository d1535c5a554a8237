/** A store's snapshot: one row, or a head and chunk rows. */
import { isLarge, readWhole, writeChunks } from './chunks.ts';
import type { Connection, Statement } from './connection.ts';

export interface Snapshot {
  clock: number;
  data: Buffer;
}

/**
 * Returns what puts a snapshot in the place of the one before, whose chunks are to be deleted then; those of this one, if it is
 * large, are written before, within the same transaction.
 */
export async function snapshotHead(
  connection: Connection,
  store: string,
  { clock, data }: Snapshot,
): Promise<Statement> {
  const version = isLarge(data) ? await writeChunks(connection, 'sds_snapshots', store, data) : '';
  return {
    text:
      'INSERT INTO sds_snapshots (store_id, clock, version, size, data) VALUES ($1, $2, $3, $4, $5) ' +
      'ON CONFLICT (store_id) DO UPDATE SET clock = excluded.clock, version = excluded.version, size = excluded.size, data = excluded.data',
    values: [store, String(clock), version, String(data.byteLength), isLarge(data) ? null : data],
  };
}

/** The same head, if the one that it takes the place of has this number; without a number, if there is none. */
export function insteadOf(clock: number | undefined, { text, values = [] }: Statement): Statement {
  const seen = clock === undefined ? null : String(clock);
  return { text: `${text} WHERE sds_snapshots.clock = $${values.length + 1}`, values: [...values, seen] };
}

/** Of the chunks of all versions but the present one, if there is one. */
const OTHERS =
  'sds_snapshot_chunks c WHERE c.store_id = $1 AND NOT EXISTS ' +
  '(SELECT 1 FROM sds_snapshots s WHERE s.store_id = $1 AND s.version = c.version)';

/**
 * Deletes the chunks of all versions but the present one, if there is one, also of those that a process has left that ended before it
 * came to this. It sees chunks and head as they are at one moment, so it takes nothing from whoever may have replaced it since.
 */
export function deletionOfOthers(store: string): Statement {
  return { text: `DELETE FROM ${OTHERS}`, values: [store] };
}

/** What a statement is not stopped at that may take some seconds. */
export const SLICE_CHUNKS = 32;

/** Deletes as many of them as that, or the rest. */
export function deletionOfSome(store: string): Statement {
  return {
    text:
      'DELETE FROM sds_snapshot_chunks WHERE store_id = $1 AND (version, chunk) IN ' +
      `(SELECT version, chunk FROM ${OTHERS} LIMIT ${SLICE_CHUNKS})`,
    values: [store],
  };
}

export function loadSnapshot(connection: Connection, store: string): Promise<Uint8Array | undefined> {
  return readWhole(connection, 'sds_snapshots', store);
}
