/**
 * Makes a copy of a database with its log or journal, in a folder that nobody else knows, so that SQLite may recover
 * it there; and tells whether it was changed meanwhile.
 */
import { closeSync, copyFileSync, existsSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DatabaseFile, databaseFile } from './database-file.ts';
import { ChangedMeanwhile, OperationError } from './failure.ts';
import { LogFile } from './log-frames.ts';
import { isFilled, wayParameters } from './look-way.ts';
import { openFile } from './open.ts';
import type { Progress } from './progress.ts';

const COPY_BYTES = 512 * 1024;

/** Returns the path of the copy. */
export function makePrivateCopy(path: string, progress: Progress): string {
  const folder = mkdtempSync(join(tmpdir(), 'sds-look-'));
  try {
    const readPath = join(folder, 'copy.db');
    const [file, log] = [stateOf(path, ['', '-journal']), logStart(path)];
    copyFile(path, readPath, progress);
    for (const end of ['-wal', '-journal']) if (existsSync(path + end)) copyFileSync(path + end, readPath + end);
    // a log that has only grown belongs to a file that has not changed
    if (file !== stateOf(path, ['', '-journal']) || log !== logStart(path)) throw new ChangedMeanwhile(path);
    return readPath;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    const noRoom = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!noRoom) throw error;
    const bytes = statSync(path).size.toLocaleString('en');
    const detail = `a private copy of the file has to be read, and there is no room for its ${bytes} bytes in ${tmpdir()}; make room, or set TMPDIR to another folder`;
    throw new OperationError('database-full', path, detail);
  }
}

/** By SQLite's own descriptor: a provider of this process may have the file open. */
function copyFile(path: string, target: string, progress: Progress): void {
  // it reads nothing, and so changes nothing, before it is asked something
  const database = openFile(path, wayParameters.still);
  const file = databaseFile(path);
  try {
    if (file === undefined) copyFileSync(path, target);
    else copyBytes(file, target, progress);
  } finally {
    file?.close();
    database.close();
  }
}

function copyBytes(file: DatabaseFile, target: string, progress: Progress): void {
  const buffer = new Uint8Array(COPY_BYTES);
  const copy = openSync(target, 'wx', 0o600);
  try {
    for (let position = 0; ; ) {
      const length = file.read(buffer, buffer.length, position);
      for (let done = 0; done < length; ) done += writeSync(copy, buffer, done, length - done, position + done);
      position += length;
      if (length < buffer.length) break;
      progress.step('copy', position, Math.max(file.size(), position + 1), 'bytes');
    }
    file.check();
  } finally {
    closeSync(copy);
  }
}

export function removePrivateCopy(readPath: string): void {
  rmSync(join(readPath, '..'), { recursive: true, force: true });
}

/** By what a change of the file shows; a log that has come since holds what the file does not. */
export function stateOf(path: string, ends = ['', '-wal', '-journal']): string {
  const parts = ends.map((end) => {
    const stats = statSync(path + end, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined || (end !== '' && stats.size === 0n)) return '-';
    return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join();
  });
  return parts.join(' ');
}

/** The header of the log: another one once it is written anew from its start. */
function logStart(path: string): string {
  if (!isFilled(`${path}-wal`)) return '';
  const log = new LogFile(`${path}-wal`);
  try {
    return log.header().toString('hex');
  } finally {
    log.close();
  }
}
