/** A disk that a test can fill. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { freshFolder } from './files.ts';

/** Whether a disk can be made here. */
export const canMount = (() => {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
})();

/** The folder of a file system of 4 MB. */
export function smallDisk(): string {
  const disk = join(freshFolder(), 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', disk], { stdio: 'pipe' });
  onTestFinished(() => void execFileSync('umount', ['-l', disk]));
  return disk;
}

/** Takes all the room that is left; `rmSync` gives it back. */
export function fill(disk: string): string {
  const path = join(disk, 'all-the-rest');
  const file = openSync(path, 'w');
  for (let size = 65_536; size >= 1; size >>= 1) {
    try {
      for (;;) writeSync(file, new Uint8Array(size));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  }
  closeSync(file);
  return path;
}
