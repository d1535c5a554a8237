/** Files that are copied in tests: what random calls have left, and what is rare. */
import { DatabaseSync } from 'node:sqlite';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { randomOf } from './random.ts';
import { randomCall } from './random-calls.ts';
import { recordsTable, sha256, tables } from './store-files.ts';

const BLOCK = 4096;

/** @param hashes - what the hashes of its values begin with: files that are copied into one database share none with other bytes */
export async function makeRandomFile(dbPath: string, seed: number, hashes = `hash ${seed}`): Promise<string> {
  const pick = randomOf(seed);
  const providers = [1, 2, 3].map((n) => new SDS_DesktopPersistenceProvider(dbPath, `store ${seed}.${n}`));
  for (let i = 0; i < 300; i++) void randomCall(pick, providers.length, hashes)(providers);
  await Promise.all(providers.map((provider) => provider.close()));
  return dbPath;
}

export const oddNames = [
  '',
  'a\0b',
  'a\0c',
  'back\\slash',
  'back\\0slash',
  'quote\'"{},',
  '😀 ä',
  'line\nbreak',
  `long ${'ä'.repeat(3000)}`,
  `long ${'ä'.repeat(3000)}, and another one`,
];

/**
 * Names of any kind, clocks at the bounds, empty bytes, snapshots and values in one row and in many chunks, records.
 *
 * @param scale - 1: stores of more patches, and of more records, than are digested together, and rows of more bytes than
 *   are read together
 */
export function makeOddFile(dbPath: string, scale = 1): string {
  const megabytes = (count: number) => Math.round(count * scale * 1024 * 1024);
  const database = new DatabaseSync(dbPath);
  database.exec(`PRAGMA journal_mode = WAL; ${tables} ${recordsTable} BEGIN`);
  const pick = randomOf(7);
  const block = Uint8Array.from({ length: BLOCK }, () => pick(256));
  const bytes = (size: number) => {
    const made = new Uint8Array(size);
    for (let at = 0; at < size; at += BLOCK) {
      made.set(block.subarray(0, size - at), at);
      made[at] = pick(256);
    }
    return made;
  };
  const patch = database.prepare('INSERT INTO patches VALUES (?, ?, ?)');
  const snapshot = database.prepare('INSERT INTO snapshots VALUES (?, ?, ?)');
  const value = database.prepare('INSERT INTO blobs VALUES (?, ?, ?)');
  const record = database.prepare('INSERT INTO sds_records VALUES (?, ?, ?)');
  for (const [i, name] of oddNames.entries()) {
    for (const clock of [Number.MIN_SAFE_INTEGER, -1, 0, 1, i + 2, Number.MAX_SAFE_INTEGER]) {
      patch.run(name, clock, bytes(clock === 0 ? 0 : pick(500)));
    }
    if (i % 2 === 0) snapshot.run(name, bytes(i * 100), i);
    value.run(`${name} as a hash`, bytes(i), i + 1);
    // in an order that is not that of their keys, nor that of the stores
    for (const key of oddNames.slice(0, i).reverse()) record.run(name, key, bytes(pick(300)));
    record.run('only records', name, bytes(i === 1 ? 0 : i));
  }
  for (let i = 20_500 * scale; i > 0; i--) record.run('many records', `key ${i}`, bytes(pick(12)));
  record.run('large', 'large', bytes(megabytes(4.2)));
  record.run('large', 'small', bytes(5));
  for (let clock = 1; clock <= 20_500 * scale; clock++) patch.run('many patches', clock * 3, bytes(pick(12)));
  patch.run('large', -Number.MAX_SAFE_INTEGER + 1, bytes(megabytes(4.2)));
  snapshot.run('large', bytes(megabytes(3) + 17), Number.MAX_SAFE_INTEGER);
  snapshot.run('empty snapshot', bytes(0), -1);
  for (const size of [256 * 1024, 256 * 1024 + 1, megabytes(3)]) {
    snapshot.run(`snapshot of ${size}`, bytes(size), size);
    const data = bytes(size);
    value.run(sha256(data), data, size);
  }
  database.exec('COMMIT');
  database.close();
  return dbPath;
}
