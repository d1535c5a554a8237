/**
 * Records of stores. Keys are stored as UTF-8 bytes, which may hold a NUL and are ordered by their beginnings. In the place of one
 * that is too long for an index stand its beginning and its SHA-256, together longer than any that stands there as it is.
 */
import { createHash } from 'node:crypto';
import type { RecordsFound } from '../../protocol/service.ts';
import { Buffer } from '../../protocol/surroundings.ts';
import { Packer } from '../packer.ts';
import { byteaArray } from './arrays.ts';
import type { Reading, Statement } from './connection.ts';

/** An index entry has at most 2,704 bytes, of which the store's name may take 1,000. */
const LONGEST_KEY = 1000;

function storedKey(key: string): { key: Buffer; whole: Buffer } {
  const whole = Buffer.from(key);
  if (whole.byteLength <= LONGEST_KEY) return { key: whole, whole };
  const digest = createHash('sha256').update(whole).digest();
  return { key: Buffer.concat([whole.subarray(0, LONGEST_KEY), digest]), whole };
}

/** Records that are saved and removed, in order: those of a store that are saved in a row go by one statement. */
export class RecordChanges {
  readonly #statements: Statement[] = [];
  #store = '';
  /** Those that are saved, by their keys. One that is saved again stays where it is, as it does on the server. */
  #saved = new Map<string, Buffer>();

  /** The bytes stay where they are until the transaction ends. */
  save(store: string, key: string, data: Buffer): void {
    if (store !== this.#store) this.#endRun();
    this.#store = store;
    this.#saved.set(key, data);
  }

  remove(store: string, key: string): void {
    this.#remove(' AND key = $2', store, storedKey(key).key);
  }

  removeAll(store: string, prefix: string): void {
    this.#remove(conditionOf(prefix), store);
  }

  #remove(condition: string, ...values: (string | Buffer)[]): void {
    this.#endRun();
    this.#statements.push({ text: `DELETE FROM sds_records WHERE store_id = $1${condition}`, values });
  }

  get statements(): readonly Statement[] {
    this.#endRun();
    return this.#statements;
  }

  #endRun(): void {
    if (this.#saved.size === 0) return;
    this.#statements.push(savingOf(this.#store, this.#saved));
    this.#saved = new Map();
  }
}

/** New ones come behind all that are there. */
function savingOf(store: string, records: ReadonlyMap<string, Buffer>): Statement {
  const keys = [...records.keys()].map(storedKey);
  return {
    text:
      'INSERT INTO sds_records (store_id, key, long_key, position, data) ' +
      `SELECT $1::text, u.k, CASE WHEN octet_length(u.w) > ${LONGEST_KEY} THEN u.w END, ` +
      'coalesce((SELECT position FROM sds_records WHERE store_id = $1::text ORDER BY position DESC LIMIT 1), 0) + u.n, u.d ' +
      'FROM unnest($2::bytea[], $3::bytea[], $4::bytea[]) WITH ORDINALITY AS u(k, w, d, n) ' +
      'ON CONFLICT (store_id, key) DO UPDATE SET data = excluded.data',
    values: [
      store,
      byteaArray(keys.map(({ key }) => key)),
      byteaArray(keys.map(({ whole }) => whole)),
      byteaArray([...records.values()]),
    ],
  };
}

/** They lie between the first one that does and the first one behind them; a long beginning is compared with the whole. */
function conditionOf(prefix: string): string {
  if (prefix === '') return '';
  const whole = Buffer.from(prefix);
  const first = whole.subarray(0, LONGEST_KEY);
  const behind = Buffer.from(first);
  const last = behind.byteLength - 1;
  behind[last] = (behind[last] ?? 0) + 1; // there is no 255 in UTF-8
  const range = ` AND key >= ${literal(first)} AND key < ${literal(behind)}`;
  if (whole.byteLength <= LONGEST_KEY) return range;
  return `${range} AND substring(long_key FROM 1 FOR ${whole.byteLength}) = ${literal(whole)}`;
}

function literal(bytes: Buffer): string {
  return `decode('${bytes.toString('hex')}', 'hex')`;
}

export async function loadRecord(connection: Reading, store: string, name: string): Promise<Uint8Array | undefined> {
  const { key } = storedKey(name);
  let found: Uint8Array | undefined;
  const that = `FROM sds_records WHERE store_id = ${connection.escapeLiteral(store)} AND key = ${literal(key)}`;
  await connection.read(['data'], that, (data) => {
    found = new Uint8Array(data);
  });
  return found;
}

export async function loadRecords(connection: Reading, store: string, prefix: string): Promise<RecordsFound> {
  const keys: string[] = [];
  const packer = new Packer();
  const those = `FROM sds_records WHERE store_id = ${connection.escapeLiteral(store)}${conditionOf(prefix)}`;
  await connection.read(['coalesce(long_key, key)', 'data'], `${those} ORDER BY position, key`, (bytes, field) => {
    if (field === 0) keys.push(bytes.toString());
    else packer.add(bytes);
  });
  return { keys, data: packer.end() };
}
