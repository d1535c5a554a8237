/** Digests by which two copies are compared, made alike here and by the server: nothing has to be sent for it. */
import { createHash, hash } from 'node:crypto';
import { CHUNK_BYTES } from '../../postgresql/chunks.ts';
import type { RowsPrint, ValueTotals } from './ends.ts';

/** Rows whose digests are joined before they are digested again: a text of the server has its limits. */
export const ROWS_A_PAGE = 20_000;

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

/** Of the patches of a store in the order of their numbers, or of its records in the order in which they were made. */
export class RowsDigest {
  #page: string[] = [];
  #digest = '';
  #count = 0;
  #bytes = 0;

  /** @param name - a patch's number, or the digest of a record's key as UTF-8 */
  add(name: number | string, data: Uint8Array): void {
    this.#count++;
    this.#bytes += data.byteLength;
    this.#page.push(`${name} ${sha256(data)}`);
    if (this.#page.length === ROWS_A_PAGE) this.#turn();
  }

  #turn(): void {
    this.#digest = joined(this.#digest, sha256(this.#page.join()));
    this.#page = [];
  }

  end(): RowsPrint {
    if (this.#page.length > 0) this.#turn();
    return { count: this.#count, bytes: this.#bytes, digest: this.#digest };
  }
}

/** Of all values of a source, by which it is known whether they are still the same. */
export class ValuesDigest {
  readonly #hash = createHash('sha256');
  #count = 0;
  #bytes = 0;

  add(hash: string, refCount: number, bytes: number): void {
    this.#hash.update(`${JSON.stringify(hash)} ${refCount} ${bytes}\n`);
    this.#count++;
    this.#bytes += bytes;
  }

  end(): ValueTotals {
    return { count: this.#count, bytes: this.#bytes, print: this.#hash.digest('hex') };
  }
}

export function joined(before: string, page: string): string {
  return before === '' ? page : sha256(before + page);
}
