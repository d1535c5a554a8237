/** Documents of automerge-repo whose changes are numbers. */
import { createHash } from 'node:crypto';
import {
  type BinaryDocumentId,
  type DocumentId,
  parseAutomergeUrl,
  Repo,
  stringifyAutomergeUrl,
} from '@automerge/automerge-repo';

export interface Counted {
  /** By their numbers. */
  all: Record<string, string>;
}

/** The first change of all documents, so that whoever makes one makes the same. */
const EMPTY =
  'hW9Kg8TupjIAXgEBAAEOF6NlMjwbtQqoDYqT+2umm8WQprUpNcWlxDTaW7gjVwYBAgMCEwIjAkACVgIHFQUhAiMCNAFCAlYCgAECfwB/AX8BfwB/AH8HfwNhbGx/AH8BAX8AfwB/AAA=';

export const emptyDocument = (): Uint8Array => Buffer.from(EMPTY, 'base64');

/** The same in each process. */
export function automergeIdOf(id: string): DocumentId {
  const bytes = new Uint8Array(createHash('sha256').update(id).digest().subarray(0, 16));
  return parseAutomergeUrl(stringifyAutomergeUrl(bytes as BinaryDocumentId)).documentId;
}

/** Whether its first change is there; all others wait for that. */
export const isWhole = ({ all }: Partial<Counted>): boolean => all !== undefined;

export const numbersInRepo = ({ all }: Counted): Set<number> => new Set(Object.keys(all).map(Number));

/** What chunks of a document have; and whether one waits for another one. */
export function numbersInChunks(chunks: readonly Uint8Array[]): { there: Set<number>; isWaiting: boolean } {
  const binary = Buffer.concat(chunks);
  const repo = new Repo();
  const handle = repo.import<Partial<Counted>>(binary, { docId: automergeIdOf('') });
  let isWaiting = false;
  try {
    repo.import(binary);
  } catch {
    isWaiting = binary.length > 0;
  }
  return { there: numbersInRepo({ all: {}, ...(handle.isReady() ? handle.doc() : {}) }), isWaiting };
}
