/** A file that is read without a lock may change once its backup has got its name: the backup stays what it is. */
import { readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { backup } from '../../src/worker/operations/files/backup.ts';
import type { Progress } from '../../src/worker/operations/progress.ts';
import { freshFolder, rowsOf } from '../support/files.ts';
import { makeStoreFile } from '../support/store-files.ts';

const named = vi.hoisted(() => {
  // the code of a worker is a CommonJS module
  Object.assign(globalThis, { require: process.getBuiltinModule });
  return { told: () => {} };
});

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const linkSync: typeof fs.linkSync = (from, to) => {
    fs.linkSync(from, to);
    named.told();
  };
  return { ...fs, linkSync };
});

it('the backup has succeeded', async () => {
  const folder = freshFolder();
  const [path, target] = [join(folder, 'source.db'), join(folder, 'target.db')];
  makeStoreFile(path);
  named.told = () => utimesSync(path, 1, 1);
  const progress = { step: () => {}, lastChance: () => {} } as unknown as Progress;
  const { Path } = await backup({ path, target, overwrite: false, verify: false }, progress);
  expect(Path).toBe(target);
  expect(rowsOf(target)).toEqual(rowsOf(path));
  expect(readdirSync(folder).sort()).toEqual(['source.db', 'target.db']);
});
