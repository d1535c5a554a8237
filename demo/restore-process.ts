/**
 * A program that restores the document from a file and compares it with the text that it must be:
 *
 *     node demo/restore-process.ts SIDE DATABASE EXPECTED [BINARIES]
 *
 * EXPECTED is a file with the text in UTF-8; BINARIES one with the hashes, in JSON, of the pictures that must be
 * in the document and of the large values that must be beside it. Prints a JSON object; exits with 0 if the document is
 * the same byte for byte, with 1 if it differs or can't be restored. The database is not changed.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { SDS_PersistenceProvider } from 'sds-persistence-worker';
import * as Y from 'yjs';
import { type ExpectedBinaries, hashOf } from './binaries.ts';
import { openProvider } from './open-provider.ts';
import { type Side, sides } from './sides.ts';

export interface Restored {
  same: boolean;
  /** From opening the file to the finished document, in milliseconds; without the start of Node. */
  ms: number;
  snapshotBytes: number;
  patches: number;
  textBytes: number;
  /** What differs, in words. */
  difference?: string;
}

async function restore(
  side: Side,
  dbPath: string,
  expectedPath: string,
  binariesPath: string | undefined,
): Promise<Restored> {
  const expected = readFileSync(expectedPath);
  const binaries: ExpectedBinaries =
    binariesPath === undefined ? { pictures: [], values: [] } : JSON.parse(readFileSync(binariesPath, 'utf8'));
  // opening would make an empty one
  if (!existsSync(dbPath)) throw new Error(`there is no file '${dbPath}'`);
  const start = performance.now();
  const provider = openProvider(side, dbPath);
  const snapshot = await provider.loadSnapshot();
  const patches = await provider.loadPatchesSince(0);
  const doc = new Y.Doc();
  doc.transact(() => {
    if (snapshot !== undefined) Y.applyUpdate(doc, snapshot);
    for (const patch of patches) Y.applyUpdate(doc, patch);
  });
  const text = doc.getText().toString();
  const ms = performance.now() - start;
  // the document is there; large values are loaded when they are looked at
  const wrongValues = await differentValues(provider, binaries.values);
  await provider.close();

  const pictures = doc.getArray<Uint8Array>('pictures').toArray().map(hashOf);
  const actual = Buffer.from(text);
  const difference =
    describeDifference(actual, expected) ?? describePictures(pictures, binaries.pictures) ?? wrongValues;
  return {
    same: difference === undefined,
    ms,
    snapshotBytes: snapshot?.byteLength ?? 0,
    patches: patches.length,
    textBytes: actual.byteLength,
    ...(difference !== undefined && { difference }),
  };
}

function describeDifference(actual: Buffer, expected: Buffer): string | undefined {
  if (actual.equals(expected)) return undefined;
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  const first = at === -1 ? actual.byteLength : at;
  return `the restored document has ${actual.byteLength} bytes, expected are ${expected.byteLength}; the first difference is at byte ${first}`;
}

function describePictures(actual: readonly string[], expected: readonly string[]): string | undefined {
  if (actual.length !== expected.length) {
    return `the restored document has ${actual.length} pictures, expected are ${expected.length}`;
  }
  const at = actual.findIndex((hash, index) => hash !== expected[index]);
  return at === -1 ? undefined : `picture ${at + 1} of the restored document is not the one that was put there`;
}

async function differentValues(
  provider: SDS_PersistenceProvider,
  hashes: readonly string[],
): Promise<string | undefined> {
  for (const hash of hashes) {
    const value = await provider.loadValue(hash);
    if (value === undefined) return `the large value ${hash} is missing`;
    if (hashOf(value) !== hash) return `the large value ${hash} has other bytes`;
  }
  return undefined;
}

const [side, dbPath, expectedPath, binariesPath] = process.argv.slice(2);
const known = sides.find((name) => name === side);
if (known === undefined || dbPath === undefined || expectedPath === undefined) {
  console.error(`usage: node demo/restore-process.ts ${sides.join('|')} DATABASE EXPECTED [BINARIES]`);
  process.exitCode = 2;
} else {
  try {
    const restored = await restore(known, dbPath, expectedPath, binariesPath);
    console.log(JSON.stringify(restored));
    process.exitCode = restored.same ? 0 : 1;
  } catch (error) {
    console.error(`The document could not be restored: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
