/** Values and their reference counts. */
import { byteaArray, int8Array, textArray } from './arrays.ts';
import { readWhole, writeChunks } from './chunks.ts';
import type { Connection, Statement } from './connection.ts';

/** Saves of one value in a row, or releases, which have no data. */
interface Run {
  times: number;
  data: Buffer | undefined;
}

/** Saves and releases of one transaction, in order for each value. */
export class ValueChanges {
  readonly #runs = new Map<string, Run[]>();

  get any(): boolean {
    return this.#runs.size > 0;
  }

  save(hash: string, data: Buffer): void {
    this.#add(hash, data);
  }

  release(hash: string): void {
    this.#add(hash, undefined);
  }

  #add(hash: string, data: Buffer | undefined): void {
    const runs = this.#runs.get(hash) ?? [];
    this.#runs.set(hash, runs);
    const last = runs.at(-1);
    // saved n times adds n; released n times, it is gone as it would be after the first that meets 0
    if (last !== undefined && (last.data === undefined) === (data === undefined)) last.times++;
    else runs.push({ times: 1, data });
  }

  /** Those that may be gone then, but for chunks. */
  get released(): string[] {
    return [...this.#runs].filter(([, runs]) => runs.some(({ data }) => data === undefined)).map(([hash]) => hash);
  }

  /** The first run of each value, then the second … In the order of their hashes: so transactions of several processes do not lock each other out. */
  get statements(): Statement[] {
    const hashes = [...this.#runs.keys()].sort();
    const statements: Statement[] = hashes.length > 1 ? [lockOf(hashes)] : [];
    for (let round = 0; ; round++) {
      const saves: Saved[] = [];
      const releases: Released[] = [];
      for (const hash of hashes) {
        const { times, data } = this.#runs.get(hash)?.[round] ?? { times: 0 };
        if (data !== undefined) saves.push({ hash, times, data });
        else if (times > 0) releases.push({ hash, times });
      }
      if (saves.length + releases.length === 0) return statements;
      if (saves.length > 0) statements.push(savesOf(saves));
      if (releases.length > 0) statements.push(...releasesOf(releases));
    }
  }
}

function lockOf(hashes: readonly string[]): Statement {
  return {
    text: 'SELECT 1 FROM sds_values WHERE hash = ANY($1::text[]) ORDER BY hash FOR UPDATE',
    values: [textArray(hashes)],
  };
}

interface Released {
  hash: string;
  times: number;
}

/** A value that fits into its row, and how often it is saved. */
export interface Saved extends Released {
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

function releasesOf(releases: readonly Released[]): Statement[] {
  const hashes = textArray(releases.map(({ hash }) => hash));
  return [
    {
      text:
        'UPDATE sds_values SET ref_count = sds_values.ref_count - u.t ' +
        'FROM unnest($1::text[], $2::bigint[]) AS u(h, t) WHERE hash = u.h',
      values: [hashes, int8Array(releases.map(({ times }) => times))],
    },
    { text: 'DELETE FROM sds_values WHERE hash = ANY($1::text[]) AND ref_count <= 0', values: [hashes] },
  ];
}

/** Saves a large value, within a transaction; its bytes cross only if it is not there. */
export async function saveLargeValue(connection: Connection, hash: string, data: Buffer, times = 1): Promise<void> {
  const count = String(times);
  const text = 'UPDATE sds_values SET ref_count = ref_count + $2 WHERE hash = $1';
  const known = await connection.one(text, hash, count);
  if (known.count > 0) return;
  const version = await writeChunks(connection, 'sds_values', hash, data);
  const { rows } = await connection.one(
    'INSERT INTO sds_values (hash, ref_count, version, size) VALUES ($1, $2, $3, $4) ' +
      'ON CONFLICT (hash) DO UPDATE SET ref_count = sds_values.ref_count + excluded.ref_count RETURNING version',
    hash,
    count,
    version,
    String(data.byteLength),
  );
  if (rows[0]?.[0] === version) return;
  // another process has saved it meanwhile
  await connection.one('DELETE FROM sds_value_chunks WHERE hash = $1 AND version = $2', hash, version);
}

export function loadValue(connection: Connection, hash: string): Promise<Uint8Array | undefined> {
  return readWhole(connection, 'sds_values', hash);
}
