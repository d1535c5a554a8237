/** Reads a recorded editing session: JSON, gzipped or plain, `{ startContent, endContent, txns: [{ patches: [[position, deleted, inserted]] }] }`. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { applyEdit, type Edit, type Session, type Transaction } from './session.ts';

/** With these a gzipped file begins (RFC 1952), and no JSON does. */
const GZIP_MAGIC = [0x1f, 0x8b];

/** The file can't be used; the message is one sentence that says why. */
export class TraceError extends Error {}

/** @throws TraceError */
export function readTrace(path: string): Session {
  const fail = (reason: string): never => {
    throw new TraceError(`The trace '${path}' can't be replayed: ${reason}.`);
  };
  const trace = parse(unpack(path, fail), fail);
  if (!isObject(trace)) return fail('it is not a JSON object');
  const { startContent, endContent, txns } = trace;
  if (typeof startContent !== 'string') return fail("its 'startContent' is not a string");
  if (typeof endContent !== 'string') return fail("its 'endContent' is not a string");
  if (!Array.isArray(txns)) return fail("its 'txns' is not an array");

  const transactions: Transaction[] = [];
  let text = '';
  const add = (edits: Edit[], where: string) => {
    for (const [index, edit] of edits.entries()) {
      if (edit[0] + edit[1] > text.length) {
        fail(`${where}, edit ${index + 1} reaches to ${edit[0] + edit[1]} in a text of ${text.length} characters`);
      }
      text = applyEdit(text, edit);
    }
    transactions.push({ edits, pause: 1 });
  };
  if (startContent !== '') add([[0, 0, startContent]], 'startContent');
  for (const [index, txn] of txns.entries()) {
    const where = `transaction ${index + 1}`;
    const patches: unknown = isObject(txn) ? txn.patches : undefined;
    if (!Array.isArray(patches)) return fail(`${where} has no array 'patches'`);
    if (!patches.every(isEdit)) return fail(`${where} has an edit that is not [position, deletedCount, insertedText]`);
    add(patches, where);
  }
  if (text !== endContent) return fail("its edits do not lead to its 'endContent'");
  return { title: `the recorded session ${basename(path)}`, transactions, text };
}

function unpack(path: string, fail: (reason: string) => never): Buffer {
  let packed: Buffer;
  try {
    packed = readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return fail(code === 'ENOENT' ? 'there is no such file' : `it could not be read (${code})`);
  }
  if (!GZIP_MAGIC.every((byte, index) => packed[index] === byte)) return packed;
  try {
    return gunzipSync(packed);
  } catch {
    return fail('it is gzipped, but damaged');
  }
}

function parse(bytes: Buffer, fail: (reason: string) => never): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return fail('what is in it is not JSON');
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEdit(value: unknown): value is Edit {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [position, deleted, inserted] = value as unknown[];
  return isCount(position) && isCount(deleted) && typeof inserted === 'string';
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
