/**
 * Which worker serves which file. A few workers serve any number of files: two so that a file with a
 * huge write does not hold up all the others, up to four where the machine has the cores, since
 * more writers do not make a disk faster and each costs a thread and some 10 MB. Whoever runs the
 * program may say otherwise by the environment variable SDS_PERSISTENCE_WORKERS (1 to 64).
 */
import { availableParallelism } from 'node:os';
import { clearTimeout, setTimeout } from 'node:timers';
import { guardExit } from '../exit-guard.ts';
import type { Place } from '../place.ts';
import type { FileQueue } from '../queue/file-queue.ts';
import { Connection } from './connection.ts';
import type { EngineKind } from './start-worker.ts';

const MOST_WORKERS = 64;
/** A thread without files ends after so long: starting one takes some 30 ms. */
const QUIET_MS = 3000;

const connections: Connection[] = [];
/** By what is the same for all names of a file; providers on the same file share a queue, and with it the connection. */
const openFiles = new Map<string, OpenFile>();

export interface OpenFile {
  queue: FileQueue;
  connection: Connection;
}

function poolSize(): number {
  const wanted = process.env.SDS_PERSISTENCE_WORKERS;
  if (wanted !== undefined && /^\d+$/.test(wanted)) return Math.min(Math.max(Number(wanted), 1), MOST_WORKERS);
  return Math.min(Math.max(availableParallelism() - 1, 2), 4);
}

/** A file: as it is open already, or opened on the worker with the fewest files. */
export function openFile(place: Place, maxPendingBytes: number): OpenFile {
  const { key, server } = place;
  const open = () => (key === undefined ? undefined : openFiles.get(key));
  const before = open();
  if (before !== undefined) return before;
  const connection = connectionForNewFile(server === undefined ? 'sqlite' : 'postgresql', maxPendingBytes);
  // Node tells of a new thread, and of listeners, as they are made: who hears of that may have opened the file
  const meanwhile = open();
  if (meanwhile !== undefined) {
    if (connection.fileCount === 0) endLater(connection);
    return meanwhile;
  }
  const file = { queue: connection.openFile(place), connection };
  if (key !== undefined && !connection.lost) openFiles.set(key, file);
  return file;
}

/** Called when a provider of a file is gone. */
export function releaseFile({ queue, connection }: OpenFile): void {
  if (queue.members.size > 0) return; // there is another provider on the file
  const { key } = queue.place;
  if (key !== undefined && openFiles.get(key)?.queue === queue) openFiles.delete(key);
  connection.closeFile(queue);
  if (connection.fileCount === 0) endLater(connection);
}

const ends = new WeakMap<Connection, NodeJS.Timeout>();

function endLater(connection: Connection): void {
  clearTimeout(ends.get(connection));
  const end = setTimeout(() => {
    if (connection.fileCount > 0 || connection.lost) return;
    forget(connection);
    connection.end();
  }, QUIET_MS);
  ends.set(connection, end.unref());
}

/** A worker is started for a new file as long as every other one of its kind has one. */
function connectionForNewFile(kind: EngineKind, maxPendingBytes: number): Connection {
  const ofKind = connections.filter((connection) => connection.kind === kind);
  let best: Connection | undefined;
  for (const connection of ofKind) {
    if (best === undefined || connection.fileCount < best.fileCount) best = connection;
  }
  if (best !== undefined && (best.fileCount === 0 || ofKind.length >= poolSize())) return best;
  const connection = new Connection(kind, maxPendingBytes, forget);
  if (!connection.lost) connections.push(connection);
  guardExit(connections);
  return connection;
}

/** Nothing new goes to a connection that was given up, whose providers have been told, or that has none. */
function forget(connection: Connection): void {
  connections.splice(connections.indexOf(connection), 1);
  guardExit(connections);
  for (const [key, file] of openFiles) if (file.connection === connection) openFiles.delete(key);
}
