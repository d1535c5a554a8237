/** A store's snapshot: one row, or a head and chunk rows. */
import { MOST_INLINE, newVersion, readWhole, writeChunks } from './chunks.ts';
import type { Connection, Statement } from './connection.ts';

export interface Snapshot {
  clock: number;
  data: Buffer;
}

/** Replaces a snapshot by one that fits into a row. */
export function smallSnapshot(store: string, { clock, data }: Snapshot): Statement[] {
  return headOf(store, clock, '', data.byteLength, data);
}

/** Writes the chunks of a large one, within a transaction; returns what puts it in its place. */
export async function largeSnapshot(
  connection: Connection,
  store: string,
  { clock, data }: Snapshot,
  copy: boolean,
): Promise<Statement[]> {
  if (data.byteLength <= MOST_INLINE) return smallSnapshot(store, { clock, data });
  const version = newVersion();
  await writeChunks(connection, 'sds_snapshot_chunks', store, version, data, copy);
  return headOf(store, clock, version, data.byteLength, null);
}

function headOf(store: string, clock: number, version: string, size: number, data: Buffer | null): Statement[] {
  return [
    {
      text:
        'INSERT INTO sds_snapshots (store_id, clock, version, size, data) VALUES ($1, $2, $3, $4, $5) ' +
        'ON CONFLICT (store_id) DO UPDATE SET clock = excluded.clock, version = excluded.version, size = excluded.size, data = excluded.data',
      values: [store, String(clock), version, String(size), data],
    },
    // of any version but this one: also what a process that ended in the middle has left
    { text: 'DELETE FROM sds_snapshot_chunks WHERE store_id = $1 AND version <> $2', values: [store, version] },
  ];
}

export function loadSnapshot(connection: Connection, store: string, copy: boolean): Promise<Uint8Array | undefined> {
  return readWhole(connection, 'sds_snapshots', store, copy);
}
