/** Values and their reference counts. */
import { byteaArray, int8Array, textArray } from './arrays.ts';
import { deletionOfUnnamed, writeChunks } from './chunks.ts';
import type { Connection, Statement } from './connection.ts';

/**
 * Saves and releases of one transaction. In whatever order they come, a value that has `n` references has `max(n − released, 0) + saved`
 * in the end, because a release takes back a save that came before it, if there is one. So all releases may go before all saves.
 */
export class ValueChanges {
  /** How often each was released while none of its saves was left. */
  readonly #released = new Map<string, number>();
  /** Those that are left, with the bytes of the first of them: they are stored if nothing else is there. */
  readonly #saved = new Map<string, Saved>();

  save(hash: string, data: Buffer): void {
    const saved = this.#saved.get(hash);
    if (saved === undefined) this.#saved.set(hash, { hash, times: 1, data });
    else saved.times++;
  }

  release(hash: string): void {
    const saved = this.#saved.get(hash);
    if (saved === undefined) this.#released.set(hash, (this.#released.get(hash) ?? 0) + 1);
    else if (--saved.times === 0) this.#saved.delete(hash);
  }

  /** In the order of their hashes: so transactions of several processes do not lock each other out. */
  get statements(): Statement[] {
    const hashes = [...new Set([...this.#released.keys(), ...this.#saved.keys()])].sort();
    const releases = hashes.filter((hash) => this.#released.has(hash));
    const saves = hashes.flatMap((hash) => this.#saved.get(hash) ?? []);
    const lock = 'SELECT 1 FROM sds_values WHERE hash = ANY($1::text[]) ORDER BY hash FOR UPDATE';
    return [
      ...(hashes.length > 1 ? [{ text: lock, values: [textArray(hashes)] }] : []),
      ...(releases.length > 0 ? releasesOf(releases, this.#released) : []),
      ...(saves.length > 0 ? [savesOf(saves)] : []),
    ];
  }
}

export interface Saved {
  hash: string;
  times: number;
  data: Buffer;
}

export function savesOf(saves: readonly Saved[]): Statement {
  return {
    text:
      'INSERT INTO sds_values (hash, ref_count, version, size, data) ' +
      "SELECT u.h, u.t, '', octet_length(u.d), u.d FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS u(h, t, d) " +
      'ON CONFLICT (hash) DO UPDATE SET ref_count = sds_values.ref_count + excluded.ref_count',
    values: [
      textArray(saves.map(({ hash }) => hash)),
      int8Array(saves.map(({ times }) => times)),
      byteaArray(saves.map(({ data }) => data)),
    ],
  };
}

function releasesOf(released: readonly string[], times: ReadonlyMap<string, number>): Statement[] {
  const hashes = textArray(released);
  return [
    {
      text:
        'UPDATE sds_values SET ref_count = sds_values.ref_count - u.t ' +
        'FROM unnest($1::text[], $2::bigint[]) AS u(h, t) WHERE hash = u.h',
      values: [hashes, int8Array(released.map((hash) => times.get(hash) ?? 0))],
    },
    { text: 'DELETE FROM sds_values WHERE hash = ANY($1::text[]) AND ref_count <= 0', values: [hashes] },
    deletionOfUnnamed('sds_values', released),
  ];
}

/** Saves a large value, within a transaction; its bytes cross only if it is not there. */
export async function saveLargeValue(connection: Connection, { hash, times, data }: Saved): Promise<void> {
  const count = String(times);
  const text = 'UPDATE sds_values SET ref_count = ref_count + $2 WHERE hash = $1';
  const known = await connection.one({ text, values: [hash, count] });
  if (known.count > 0) return;
  const version = await writeChunks(connection, 'sds_values', hash, data);
  const { rows } = await connection.one({
    text:
      'INSERT INTO sds_values (hash, ref_count, version, size) VALUES ($1, $2, $3, $4) ' +
      'ON CONFLICT (hash) DO UPDATE SET ref_count = sds_values.ref_count + excluded.ref_count RETURNING version',
    values: [hash, count, version, String(data.byteLength)],
  });
  if (rows[0]?.[0] === version) return;
  // another process has saved it meanwhile
  await connection.run(deletionOfUnnamed('sds_values', [hash]));
}
