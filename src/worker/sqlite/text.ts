/** Names that are read as bytes: before Node 24.16 a text is cut at a NUL. */
import type { DatabaseSync as Database } from 'node:sqlite';
import { TextDecoder } from 'node:util';
import { firstValue } from './node-sqlite.ts';

/** A name may begin with U+FEFF. */
const decoderOf = (encoding: string) => new TextDecoder(encoding, { ignoreBOM: true });
const utf8 = decoderOf('utf-8');
const decoders: Record<string, TextDecoder> = {
  'UTF-16le': decoderOf('utf-16le'),
  'UTF-16be': decoderOf('utf-16be'),
};

const encodings = new WeakMap<Database, string>();

export function encodingOf(database: Database): string {
  const known = encodings.get(database);
  if (known !== undefined) return known;
  const encoding = String(firstValue(database, 'PRAGMA encoding'));
  encodings.set(database, encoding);
  return encoding;
}

/** Whether text is stored as UTF-8, so that bytes may be joined as text. */
export function isUtf8({ database }: { database: Database }): boolean {
  return encodingOf(database) === 'UTF-8';
}

/** The text whose bytes, in the database's encoding, these are. */
export function textOf({ database }: { database: Database }, bytes: unknown): string {
  if (!(bytes instanceof Uint8Array)) return String(bytes);
  return (decoders[encodingOf(database)] ?? utf8).decode(bytes);
}
