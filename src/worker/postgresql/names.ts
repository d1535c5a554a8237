/**
 * How store ids and hashes are written in PostgreSQL, whose text holds no NUL and whose indexes hold no long
 * keys: `\` becomes `\\`, NUL `\0`; what is longer than 1,000 bytes is named by `\#` and its SHA-256, and the
 * table `sds_long_names` has it whole. All others stand there as they are.
 */
import { createHash } from 'node:crypto';
import { Buffer } from '../../protocol/surroundings.ts';
import type { Statement } from './connection.ts';

const LONGEST = 1000;
const LONG = '\\#';

export interface StoredName {
  stored: string;
  /** The whole of it, escaped, if `stored` is not that. */
  whole: string | undefined;
}

export function storedName(name: string): StoredName {
  const text = name.toWellFormed().replaceAll('\\', '\\\\').replaceAll('\0', '\\0');
  if (text.length * 3 <= LONGEST || Buffer.byteLength(text) <= LONGEST) return { stored: text, whole: undefined };
  return { stored: LONG + createHash('sha256').update(text).digest('hex'), whole: text };
}

export function byStoredName(names: Iterable<string>): Map<string, string> {
  return new Map(Array.from(names, (name) => [storedName(name).stored, name]));
}

/** Notes what those of them stand for that are too long. */
export function insertionsOfLongNames(names: Iterable<StoredName>): Statement[] {
  const text = 'INSERT INTO sds_long_names (short, name) VALUES ($1, $2) ON CONFLICT (short) DO NOTHING';
  return [...names].flatMap(({ stored, whole }) => (whole === undefined ? [] : [{ text, values: [stored, whole] }]));
}

export function isLongName(stored: string): boolean {
  return stored.startsWith(LONG);
}

/** The name behind a stored one; of a long one, behind the whole of it. */
export function nameOf(escaped: string): string {
  return escaped.replaceAll(/\\([\\0])/g, (_, character: string) => (character === '0' ? '\0' : '\\'));
}
