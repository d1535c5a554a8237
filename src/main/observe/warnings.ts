/** Process warnings: said once each, with a code that a program can filter by. */
import { writeSync } from 'node:fs';
import { outsideOfCalls } from '../../protocol/async-context.ts';
import type { SDS_PersistenceError } from '../../protocol/errors.ts';
import { nextTick, soon } from '../../protocol/surroundings.ts';
import { tell } from './channels.ts';
import { isAtEnd, note, unprinted } from './notes.ts';

/** Files and stores that were spoken of already. */
const said = new Set<string>();

/** @param said - what was spoken of already, of this kind */
export function once(said: Set<string>, code: string, subject: string, message: string): void {
  const key = `${code} ${subject}`;
  if (said.has(key)) return;
  said.add(key);
  const warn = () => {
    unprinted.add(message);
    nextTick(() => unprinted.delete(message)); // right before Node prints it: a listener of warnings may end the process
    process.emitWarning(message, { type: 'SDS_PersistenceWarning', code });
  };
  note(() => (isAtEnd() ? sayAtExit(message) : outsideOfCalls(warn)));
}

/** A patch is lost because its number is taken by other bytes. */
export function warnOfCollision(dbPath: string, storeId: string, collisions: number): void {
  tell('collision', { Path: dbPath, StoreId: storeId, ClockCollisions: collisions });
  once(
    said,
    'SDS_CLOCK_COLLISION',
    `${storeId} ${dbPath}`,
    `a patch of store ${JSON.stringify(storeId)} in '${dbPath}' was lost: its number is taken by a ` +
      "patch with other bytes, and the first one wins. The option OnClockCollision: 'keep', or the environment variable " +
      'SDS_PERSISTENCE_ON_CLOCK_COLLISION=keep, stores both.',
  );
}

/** A call has failed whose promise had resolved once it was queued. */
export function warnOfFailure(dbPath: string, storeId: string, error: SDS_PersistenceError): void {
  const { code, message } = error;
  tell('write-failed', { Path: dbPath, StoreId: storeId, Code: code, Message: message, Error: error });
  if (isAtEnd()) return; // it is said as of every call
  const warning = `a call that was acknowledged when it was queued has failed: ${message}`;
  once(said, 'SDS_WRITE_FAILED', `${code} ${storeId} ${dbPath}`, warning);
}

/** Calls that have failed: if the process ends before the microtask of each, their rejections reach nobody. */
const unheard = new Set<() => void>();

/**
 * A call has failed: that is said if its rejection reaches nobody any more, as the process ends. Called right before it is rejected: whoever
 * hears of the one before, and ends the process, keeps this one from being heard.
 */
export function warnOfLoss(dbPath: string, storeId: string, { code, message }: SDS_PersistenceError): void {
  const warning = `a call could not be carried out as the process ends: ${message}`;
  const say = () => once(said, 'SDS_WRITE_FAILED at exit', `${code} ${storeId} ${dbPath}`, warning);
  if (isAtEnd()) say();
  else {
    unheard.add(say);
    void soon(() => unheard.delete(say));
  }
}

/** The process ends: what was left to a turn that does not come is said. */
export function tellUnheard(): void {
  for (const warning of unprinted) sayAtExit(warning);
  unprinted.clear();
  for (const say of unheard) say();
  unheard.clear();
}

/** Another process writes to a file, and the SQLite at hand has a fault in that case. */
export function warnOfForeignWriter(dbPath: string): void {
  const { sqlite = '(version unknown)' } = process.versions; // Deno and Bun don't name it
  once(
    said,
    'SDS_SQLITE_WAL_RESET',
    '',
    `another process writes to '${dbPath}', and SQLite ${sqlite}, which is part of Node ${process.version}, ` +
      'can damage the write-ahead log in that case (fixed in 3.51.3, 3.50.7 and 3.44.6): update Node, or let only ' +
      'one process at a time have the file open.',
  );
}

/** Nothing asynchronous runs any more in which a process warning would be printed: it goes to stderr at once. */
export function sayAtExit(warning: string): void {
  try {
    writeSync(2, `(SDS_PersistenceWarning) ${warning}\n`);
  } catch {
    // stderr is closed or full: nobody can be told, and what is still to be committed must be all the same
  }
}
