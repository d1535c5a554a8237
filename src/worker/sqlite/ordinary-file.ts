/** What a path leads to: whether it may be a database file, and which one it is. */
import { type BigIntStats, type Stats, statSync, unlinkSync } from 'node:fs';
import { basename } from 'node:path';
import type { ProviderMessage } from '../../protocol/service.ts';
import { EngineError } from '../engine.ts';

/** A database as a provider names it. */
export type DatabaseName = Pick<ProviderMessage, 'path' | 'parameters' | 'transient'>;

/** Why it is none, if so; asked before anything is opened: a pipe, or a serial port, would not answer. */
export function whyNoFile(path: string, found: Stats | BigIntStats | undefined): string | undefined {
  if (found?.isDirectory()) return 'this is a folder, not a database file';
  if (found !== undefined && !found.isFile()) return 'this is not an ordinary file';
  return process.platform === 'win32' ? otherMeaning(basename(path)) : undefined;
}

/** What Windows makes of a name that would be a file's elsewhere (https://learn.microsoft.com/windows/win32/fileio/naming-a-file). */
function otherMeaning(name: string): string | undefined {
  if (/^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *([.:]|$)/i.test(name)) {
    return `for Windows '${name}' is a device, whatever its folder; give the file another name`;
  }
  if (/[. ]$/.test(name)) return `Windows leaves out what '${name}' ends with; leave it out as well`;
  return undefined;
}

/** By which a file is known; its numbers may be too large for JavaScript's ordinary ones (NTFS, ZFS, overlayfs). */
export type Identity = Pick<BigIntStats, 'ino' | 'dev'>;

/** `undefined` if there is nothing. */
export function identityOf(path: string): Identity | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}

/** Removes it, if it is there. `rmSync` looks at it first, and tells what has failed without a code. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

export function isSame(a: Identity | undefined, b: Identity | undefined): boolean {
  return a !== undefined && a.ino === b?.ino && a.dev === b.dev;
}

/** Another one is in its place when a compaction or a copy that is put back has just ended: it is opened at the next attempt. */
export function refuseAnother(before: Identity, now: Identity | undefined): void {
  if (isSame(before, now)) return;
  throw new EngineError('database-busy', { message: 'the file was replaced while it was opened' });
}
