/** Names that are read as bytes: before Node 24.16 a text is cut at a NUL. */
import type { DatabaseSync as Database } from 'node:sqlite';
import { TextDecoder } from 'node:util';
import { firstValue } from './node-sqlite.ts';

/** SQLite's names of encodings are those that it knows. */
const decoders = new WeakMap<Database, TextDecoder>();

export function encodingOf(database: Database): string {
  return String(firstValue(database, 'PRAGMA encoding'));
}

function decoderOf(database: Database): TextDecoder {
  const known = decoders.get(database);
  if (known !== undefined) return known;
  // a name may begin with U+FEFF
  const decoder = new TextDecoder(encodingOf(database), { ignoreBOM: true });
  decoders.set(database, decoder);
  return decoder;
}

/** Whether text is stored as UTF-8, so that bytes may be joined as text. */
export function isUtf8({ database }: { database: Database }): boolean {
  return decoderOf(database).encoding === 'utf-8';
}

/** The text whose bytes, in the database's encoding, these are. */
export function textOf({ database }: { database: Database }, bytes: unknown): string {
  if (!(bytes instanceof Uint8Array)) return String(bytes);
  return decoderOf(database).decode(bytes);
}
