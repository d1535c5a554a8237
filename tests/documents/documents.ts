/** Documents of Yjs for tests: opened, edited, and read again as another program would. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { YjsPersistence, type YjsPersistenceOptions } from 'sds-persistence-worker/yjs';
import { onTestFinished } from 'vitest';
import * as Y from 'yjs';
import { livingWorkers } from '../../torture/living-workers.ts';
import { runProgram } from '../support/programs.ts';

const root = join(import.meta.dirname, '../..');

/** A persistence that is released when the test has ended. */
export function persistenceOn(
  file: string,
  options: Partial<YjsPersistenceOptions<Y.Doc>> = {},
): YjsPersistence<Y.Doc> {
  const persistence = new YjsPersistence(file, { Y, ...options });
  onTestFinished(async () => {
    await persistence.destroy().catch(() => undefined); // a test may have made it fail, or have destroyed it
  });
  return persistence;
}

/** Pauses between attempts that are as long, or longer, have no end of their own from now on. */
export function pausesWithoutEnd(ms: number): void {
  const { waitAsync } = Atomics;
  const waiting: typeof waitAsync = (cell: never, at: number, value: never, timeout = Number.POSITIVE_INFINITY) =>
    waitAsync(cell, at, value, timeout < ms ? timeout : Number.POSITIVE_INFINITY);
  Atomics.waitAsync = waiting;
  onTestFinished(() => {
    Atomics.waitAsync = waitAsync;
  });
}

/** What another program finds of a document: its text. */
export async function storedText(file: string, name = 'notes'): Promise<string> {
  const persistence = new YjsPersistence(file, { Y });
  try {
    return textOf(await persistence.getYDoc(name));
  } finally {
    await persistence.destroy();
  }
}

export const textOf = (doc: Y.Doc): string => doc.getText('text').toString();

/** Types a text, one update for each character. */
export function type(doc: Y.Doc, text: string): void {
  for (const character of text) doc.getText('text').insert(doc.getText('text').length, character);
}

/** Those of a document into which pieces of text are typed: one for each piece, or for each character of a text. */
export function updatesOf(pieces: Iterable<string>): Uint8Array[] {
  const updates: Uint8Array[] = [];
  const doc = new Y.Doc();
  doc.on('update', (update: Uint8Array) => updates.push(update));
  for (const piece of pieces) doc.getText('text').insert(doc.getText('text').length, piece);
  return updates;
}

/** Stores updates of a document as another program has left them, which was killed before it had merged any. */
export async function storeUnmerged(file: string, updates: readonly Uint8Array[]): Promise<void> {
  const provider = new SDS_DesktopPersistenceProvider(file, 'notes');
  for (const [at, update] of updates.entries()) void provider.appendPatch(update, at + 1);
  await provider.close();
}

/** An update that inserts a text into a document of its own. */
export function updateOf(text: string): Uint8Array {
  const doc = new Y.Doc();
  doc.getText('text').insert(0, text);
  return Y.encodeStateAsUpdate(doc);
}

/** Bytes that are no update. */
export const rubbish = (): Uint8Array => new Uint8Array(64).fill(255);

export const mergingThreads = (): Worker[] =>
  [...livingWorkers].filter((worker) => (worker as { threadName?: string }).threadName === 'sds-merging');

const urlOf = (...path: string[]) => JSON.stringify(pathToFileURL(join(root, ...path)).href);

/** Runs a program with `Y`, `YjsPersistence` and `file` in scope, which has `type(doc, text)`, too. */
export function runEditor(text: string, file: string, options: Parameters<typeof runProgram>[2] = {}) {
  const beginning = `const Y = await import(${urlOf('node_modules/yjs/dist/yjs.mjs')});
const { YjsPersistence } = await import(${urlOf('dist/yjs.js')});
const type = (doc, text) => { for (const one of text) doc.getText('text').insert(doc.getText('text').length, one); };
`;
  return runProgram(beginning + text, file, options);
}
