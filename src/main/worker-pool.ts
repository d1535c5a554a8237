/**
 * Which worker serves which file. A few workers serve any number of files: two so that a file with a
 * huge write does not hold up all the others, up to four where the machine has the cores, since
 * more writers do not make a disk faster and each costs a thread and some 10 MB. Whoever runs the
 * program may say otherwise by the environment variable SDS_PERSISTENCE_WORKERS (1 to 64).
 */
import { readlinkSync, realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { guardExit } from './exit-guard.ts';
import type { Lane } from './lane.ts';
import { Line } from './line.ts';

const MOST_WORKERS = 64;
/** As many links as Linux follows. */
const MOST_LINKS = 40;

const lines: Line[] = [];
/** Lanes by real path; providers on the same file share one. */
const lanes = new Map<string, Lane>();

function poolSize(): number {
  const wanted = process.env.SDS_PERSISTENCE_WORKERS;
  if (wanted !== undefined && /^\d+$/.test(wanted)) return Math.min(Math.max(Number(wanted), 1), MOST_WORKERS);
  return Math.min(Math.max(availableParallelism() - 1, 2), 4);
}

/** The lane of a file: the one that is open, or a new one on the worker with the fewest files. */
export function laneFor(dbPath: string, maxPendingBytes: number): Lane {
  const { path, transient } = locate(dbPath);
  const open = transient ? undefined : lanes.get(path);
  if (open !== undefined) return open;
  const lane = lineForNewFile(maxPendingBytes).openLane(path, transient);
  if (!transient && !lane.line.lost) lanes.set(path, lane);
  return lane;
}

/** Called when the last provider of a lane is gone. */
export function releaseLane(lane: Lane): void {
  if (lane.members.size > 0) return; // there is a new provider on the file already
  if (lanes.get(lane.dbPath) === lane) lanes.delete(lane.dbPath);
  lane.line.closeLane(lane);
}

/** A worker is started for a new file as long as every other has one. */
function lineForNewFile(maxPendingBytes: number): Line {
  let best: Line | undefined;
  for (const line of lines) if (best === undefined || line.laneCount < best.laneCount) best = line;
  if (best !== undefined && (best.laneCount === 0 || lines.length >= poolSize())) return best;
  const line = new Line(maxPendingBytes, forget);
  if (!line.lost) lines.push(line);
  guardExit(lines);
  return line;
}

/** Nothing new goes to a line that was given up; its providers have been told. */
function forget(line: Line): void {
  lines.splice(lines.indexOf(line), 1);
  for (const [path, lane] of lanes) if (lane.line === line) lanes.delete(path);
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
