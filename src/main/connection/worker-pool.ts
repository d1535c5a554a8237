/**
 * Which worker serves which file. A few workers serve any number of files: two so that a file with a
 * huge write does not hold up all the others, up to four where the machine has the cores, since
 * more writers do not make a disk faster and each costs a thread and some 10 MB. Whoever runs the
 * program may say otherwise by the environment variable SDS_PERSISTENCE_WORKERS (1 to 64).
 */
import { readlinkSync, realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { guardExit } from '../exit-guard.ts';
import type { FileQueue } from '../queue/file-queue.ts';
import { Connection } from './connection.ts';

const MOST_WORKERS = 64;
/** As many links as Linux follows. */
const MOST_LINKS = 40;

const connections: Connection[] = [];
/** By real path; providers on the same file share a queue, and with it the connection. */
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
export function openFile(dbPath: string, maxPendingBytes: number): OpenFile {
  const { path, transient } = locate(dbPath);
  const open = transient ? undefined : openFiles.get(path);
  if (open !== undefined) return open;
  const connection = connectionForNewFile(maxPendingBytes);
  const file = { queue: connection.openFile(path, transient), connection };
  if (!transient && !connection.lost) openFiles.set(path, file);
  return file;
}

/** Called when a provider of a file is gone. */
export function releaseFile({ queue, connection }: OpenFile): void {
  if (queue.members.size > 0) return; // there is another provider on the file
  if (openFiles.get(queue.dbPath)?.queue === queue) openFiles.delete(queue.dbPath);
  connection.closeFile(queue);
}

/** A worker is started for a new file as long as every other has one. */
function connectionForNewFile(maxPendingBytes: number): Connection {
  let best: Connection | undefined;
  for (const connection of connections) {
    if (best === undefined || connection.fileCount < best.fileCount) best = connection;
  }
  if (best !== undefined && (best.fileCount === 0 || connections.length >= poolSize())) return best;
  const connection = new Connection(maxPendingBytes, forget);
  if (!connection.lost) connections.push(connection);
  guardExit(connections);
  return connection;
}

/** Nothing new goes to a connection that was given up; its providers have been told. */
function forget(connection: Connection): void {
  connections.splice(connections.indexOf(connection), 1);
  for (const [path, file] of openFiles) if (file.connection === connection) openFiles.delete(path);
}

interface Located {
  path: string;
  transient: boolean;
}

/** The real path, with symbolic links resolved, of a file that may not be there yet. */
function locate(dbPath: string): Located {
  if (dbPath === ':memory:' || dbPath === '') return { path: dbPath, transient: true };
  if (dbPath.startsWith('file:')) return locateUrl(dbPath);
  return { path: realPath(resolve(dbPath)), transient: false };
}

/** A name in the form of a URL, as SQLite reads it (https://sqlite.org/uri.html). */
function locateUrl(url: string): Located {
  // with parameters it is a way of its own to open a file, and shared only with the same
  if (/[?#]/.test(url)) return { path: url, transient: /:memory:|[?&]mode=memory(&|$)/.test(url) };
  try {
    return locate(decodeURIComponent(url.slice('file:'.length).replace(/^\/\/(localhost)?(?=\/)/, '')));
  } catch {
    return { path: url, transient: false }; // no proper URL: opening it will tell
  }
}

/** Follows links as far as there is something, also a link to a file that is not there yet. */
function realPath(path: string, links = 0): string {
  try {
    return realpathSync.native(path);
  } catch {
    const target = links < MOST_LINKS ? linkTarget(path) : undefined;
    if (target !== undefined) return realPath(resolve(dirname(path), target), links + 1);
    const folder = dirname(path);
    return folder === path ? path : join(realPath(folder, links), basename(path));
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // no link, or nothing there: opening it will tell
  }
}
