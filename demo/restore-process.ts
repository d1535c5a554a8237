/**
 * A program that restores the document from a file and compares it with the text that it must be:
 *
 *     node demo/restore-process.ts SIDE DATABASE EXPECTED
 *
 * EXPECTED is a file with the text in UTF-8. Prints a JSON object; exits with 0 if the document is
 * the same byte for byte, with 1 if it differs or can't be restored. The database is not changed.
 */
import { existsSync, readFileSync } from 'node:fs';
import * as Y from 'yjs';
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

async function restore(side: Side, dbPath: string, expectedPath: string): Promise<Restored> {
  const expected = readFileSync(expectedPath);
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
  await provider.close();

  const actual = Buffer.from(text);
  const difference = describeDifference(actual, expected);
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

const [side, dbPath, expectedPath] = process.argv.slice(2);
const known = sides.find((name) => name === side);
if (known === undefined || dbPath === undefined || expectedPath === undefined) {
  console.error(`usage: node demo/restore-process.ts ${sides.join('|')} DATABASE EXPECTED`);
  process.exitCode = 2;
} else {
  try {
    const restored = await restore(known, dbPath, expectedPath);
    console.log(JSON.stringify(restored));
    process.exitCode = restored.same ? 0 : 1;
  } catch (error) {
    console.error(`The document could not be restored: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
