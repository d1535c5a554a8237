/** A store's snapshot: one row, or a head and chunk rows. */
import { isLarge, writeChunks } from './chunks.ts';
import type { Connection, Statement } from './connection.ts';

export interface Snapshot {
  clock: number;
  data: Buffer;
}

/** Writes the chunks of a large snapshot, and returns what puts it in the place of the one before, whose chunks are to be deleted then. */
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
