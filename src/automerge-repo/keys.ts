/** Keys of automerge-repo, which are lists of texts, as the keys of records, so that the lists that begin alike are a range of these. */
import { SDS_PersistenceError } from '../main/index.ts';

/** Behind each part: what begins with the parts of a list begins with its text, and ['a'] is no beginning of ['ab']. */
const END = '\x01';
const ESCAPE = '\x02';
/** What stands for something else in there; and lone surrogates, which all become the same character in UTF-8. */
const ESCAPED = new RegExp(`[${END}${ESCAPE}]|\\p{Surrogate}`, 'gu');
const ESCAPES = new RegExp(`${ESCAPE}(.{4})`, 'g');

/** @throws SDS_PersistenceError `invalid-argument` */
export function textOf(parts: readonly string[]): string {
  if (!Array.isArray(parts) || parts.some((part) => typeof part !== 'string')) {
    throw new SDS_PersistenceError('invalid-argument', 'a key must be an array of strings');
  }
  return parts.map((part) => part.replaceAll(ESCAPED, escaped) + END).join('');
}

function escaped(character: string): string {
  return ESCAPE + character.charCodeAt(0).toString(16).padStart(4, '0');
}

export function partsOf(text: string): string[] {
  const parts = text.split(END);
  parts.pop(); // behind the last end there is nothing
  return parts.map((part) =>
    part.replaceAll(ESCAPES, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16))),
  );
}
