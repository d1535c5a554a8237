/** A store's snapshot: one row, or a head and chunk rows. */
import { EngineError } from '../engine.ts';
import { bytesOf, MOST_INLINE, newVersion, readChunks, writeChunks } from './chunks.ts';
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

/** How often a snapshot may be replaced by another process while it is read. */
const MOST_ATTEMPTS = 10;

export async function loadSnapshot(
  connection: Connection,
  store: string,
  copy: boolean,
): Promise<Uint8Array | undefined> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const { rows } = await connection.one(
      "SELECT version, size, encode(data, 'hex') FROM sds_snapshots WHERE store_id = $1",
      store,
    );
    const head = rows[0];
    if (head === undefined) return undefined;
    const [version, size, data] = head;
    if (typeof data === 'string') return new Uint8Array(bytesOf(data));
    const found = await readChunks(connection, 'sds_snapshot_chunks', store, version ?? '', Number(size), copy);
    if (found !== undefined) return found;
  }
  throw new EngineError('database-corrupt', { message: `the snapshot of store '${store}' lacks some of its bytes` });
}
