/** Reads a name in the form of a URL as SQLite does (https://sqlite.org/uri.html). */
import { ifPossible } from './if-possible.ts';

export interface FileUrl {
  /** Decoded; relative or absolute, `''` for a temporary database. */
  path: string;
  /** Whether the database is in memory. */
  memory: boolean;
  /** Whether such a database belongs to all that name it alike. */
  shared: boolean;
  /** Whether the file must be there already. */
  mustExist: boolean;
  /** What SQLite has to be told besides, in a fixed order; it makes a connection one of a kind. */
  parameters: string;
}

/** Of these, what is not SQLite's default changes how it opens a file. It ignores the ones that it does not know. */
const OF_EFFECT = ['mode', 'vfs', 'psow', 'nolock', 'immutable'];
const DEFAULTS = /^(mode=rwc?|(nolock|immutable)=(0+|no|false|off))$/i;

export const isFileUrl = (name: string): boolean => name.startsWith('file:');

/** Who locks a file in a way of its own is not seen by operations, nor sees them. */
export function hasOwnLocks(parameters: string): boolean {
  return /\b(vfs|nolock)=/.test(parameters);
}

/** @returns a sentence if it can't be read */
export function readFileUrl(url: string, onWindows = process.platform === 'win32'): FileUrl | string {
  const [, authority, encoded = '', query = ''] = /^file:(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?/s.exec(url) ?? [];
  if (authority !== undefined && authority !== '' && authority !== 'localhost') {
    return `a file: URL names no host: ${JSON.stringify(authority)} stands after its two slashes; a path begins with one slash, or with three`;
  }
  const decoded = decode(encoded);
  const pairs = query.split('&').map((pair): [string, string] => {
    const [, key = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair) ?? [];
    return [decode(key) ?? '', decode(value) ?? ''];
  });
  if (decoded === undefined) return 'what is escaped by % in the file: URL is no UTF-8';
  if (decoded.includes('\0')) return 'a file: URL must not contain a NUL character';
  // of the same one twice SQLite takes the last, of those that the file system's layer reads the first
  const last = new Map(pairs);
  const first = new Map([...pairs].reverse());
  const value = (key: string) => (key === 'mode' || key === 'vfs' ? last : first).get(key);
  const [mode, vfs] = [value('mode'), value('vfs')];
  return {
    path: onWindows ? decoded.replace(/^\/(?=[a-z]:)/i, '') : decoded,
    memory: decoded === ':memory:' || mode === 'memory' || vfs === 'memdb',
    shared: last.get('cache') === 'shared' || (vfs === 'memdb' && decoded.startsWith('/')),
    mustExist: mode === 'rw',
    parameters: OF_EFFECT.map((key) => `${key}=${encodeURIComponent(value(key) ?? '')}`)
      .filter((pair) => !pair.endsWith('=') && !DEFAULTS.test(pair))
      .join('&'),
  };
}

/** As SQLite does, a % that begins no escape is one; `undefined` for bytes that no name in JavaScript can have. */
function decode(text: string): string | undefined {
  return ifPossible(() => text.replace(/(?:%[0-9a-f]{2})+/gi, (escaped) => decodeURIComponent(escaped)));
}
