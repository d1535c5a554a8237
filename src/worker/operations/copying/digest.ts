/** Digests by which two copies are compared, made alike here and by the server: nothing has to be sent for it. */
import { hash } from 'node:crypto';
import { CHUNK_BYTES } from '../../postgresql/chunks.ts';
import type { Kind, RowsPrint, StoredRow, StorePrint } from './ends.ts';

/** Hexadecimal ones of a digest that are added up as a number: the server's `bigint` has room for them. */
const DIGITS = 15;

export function sha256(data: Uint8Array | string): string {
  return hash('sha256', data);
}

/** The same as SQL, of bytes and of a text. */
export function sha256Of(bytes: string): string {
  return `encode(sha256(${bytes}), 'hex')`;
}

export function sha256OfText(text: string): string {
  return sha256Of(`convert_to(${text}, 'UTF8')`);
}

/** Of bytes that lie in chunks in PostgreSQL, if they are many. */
export function digestOf(data: Uint8Array): string {
  if (data.byteLength <= CHUNK_BYTES) return sha256(data);
  const digests: string[] = [];
  for (let at = 0; at < data.byteLength; at += CHUNK_BYTES) digests.push(sha256(data.subarray(at, at + CHUNK_BYTES)));
  return sha256(digests.join());
}

/** Before any row is added. */
export const noRows = (): RowsPrint => ({ count: 0, bytes: 0, digest: 0n });

export function noRowsOf(stores: readonly string[]): Map<string, StorePrint> {
  return new Map(stores.map((store) => [store, { snapshots: noRows(), patches: noRows(), records: noRows() }]));
}

/** Rows are added in their order: each counts with its ordinal. */
export function addRow(print: RowsPrint, kind: Kind, { name, data }: Omit<StoredRow, 'store'>): void {
  const digest = kind === 'snapshots' ? digestOf(data) : sha256(data);
  addDigest(print, kind === 'records' ? sha256(String(name)) : name, data.byteLength, digest);
}

/**
 * @param name - the number of a patch or a snapshot, the digest of a record's key as UTF-8, or the hash of a value
 * @param digest - for all values together, the reference count and size of each
 */
export function addDigest(print: RowsPrint, name: number | string, bytes: number, digest: string): void {
  print.count++;
  print.bytes += bytes;
  print.digest += BigInt(`0x${sha256(`${print.count} ${name} ${digest}`).slice(0, DIGITS)}`);
}

/** The same as SQL, of all rows of a store: `ordinal` is the number of a row in their order, from 1 on. */
export function digestOfRows(ordinal: string, name: string, bytes: string): string {
  const digest = sha256OfText(`${ordinal} || ' ' || ${name} || ' ' || ${sha256Of(bytes)}`);
  return `sum(('x' || left(${digest}, ${DIGITS}))::bit(${DIGITS * 4})::bigint)`;
}
