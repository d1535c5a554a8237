/**
 * What was called before the process ends is committed before it ends: after `process.exit()`, an
 * uncaught error, an unhandled rejection or a signal that the program handles.
 */
import { writeSync } from 'node:fs';

/** What has to be done before the process ends, of each connection to a worker. */
export interface Guarded {
  /** Whether all that was called is finished. */
  readonly idle: boolean;
  /** Hurries what nobody waits for; keeps the process alive meanwhile. */
  endWhenCommitted(): void;
  /** Blocks until all is committed; false if nothing was for so long. */
  drain(patienceMs: number): boolean;
  /** Blocks until the worker has closed its files. */
  retire(patienceMs: number): void;
}

/** How long exit waits for a worker that commits nothing: longer than the default BusyTimeoutMs. */
const PATIENCE_MS = 10_000;

/** A worker that takes longer to close a file is ended while it is at it: nothing is lost by that. */
const CLOSE_PATIENCE_MS = 2000;

let guarded = false;
/** True once the process is in its `exit` event: from now on nothing asynchronous happens. */
export let exiting = false;

/** Makes the `exit` event wait, once for all connections. */
export function guardExit(connections: readonly Guarded[]): void {
  if (guarded) return;
  guarded = true;
  // the first provider of all may be made in an `exit` listener: then ours would come too late
  if ((process as { _exiting?: boolean })._exiting === true) exiting = true;
  // nothing is left to do: as long as calls are under way their failures can still be told
  process.on('beforeExit', () => {
    for (const connection of connections) connection.endWhenCommitted();
  });
  process.on('exit', () => {
    exiting = true;
    // copies: one that is given up meanwhile is taken out
    for (const connection of [...connections]) drainAtExit(connection);
    for (const connection of [...connections]) connection.retire(CLOSE_PATIENCE_MS);
  });
}

/** Blocks until a connection has committed everything; also for calls made by later `exit` listeners. */
export function drainAtExit(connection: Guarded): void {
  if (connection.idle || connection.drain(PATIENCE_MS)) return;
  const message = `the worker committed nothing for ${PATIENCE_MS} ms at exit; calls that were not acknowledged may be lost`;
  // nothing asynchronous runs any more, so the warning goes to stderr at once
  writeSync(2, `(SDS_PersistenceWarning) ${message}\n`);
}
