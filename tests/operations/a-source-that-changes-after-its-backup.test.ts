/**
 * A file that is read without a lock may change while it is copied, and is read again then; or once its backup has got its
 * name, which stays what it is.
 */
import { readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { ALLOWED, RUNNING, STOPPED } from '../../src/protocol/operation-messages.ts';
import { copyStores } from '../../src/worker/operations/copying/copy.ts';
import { Stopped } from '../../src/worker/operations/failure.ts';
import { backup } from '../../src/worker/operations/files/backup.ts';
import { Progress } from '../../src/worker/operations/progress.ts';
import type { Throttle } from '../../src/worker/operations/throttle.ts';
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

const works: [string, (path: string, target: string, progress: Progress) => Promise<unknown>][] = [
  ['backup', (path, target, progress) => backup({ path, target, overwrite: false, verify: false }, progress)],
  [
    'copy',
    (path, target, progress) => {
      const [sources, options] = [[{ file: path }], { stores: undefined, overwrite: false, values: true }];
      return copyStores(
        { path, sources, target: { file: target }, ...options, salvage: false, searchPaths: [] },
        progress,
      );
    },
  ],
];

it.each(works)('%s: a stop is heard also when a source that has changed is read again', async (_, work) => {
  const folder = freshFolder();
  const [path, target] = [join(folder, 'source.db'), join(folder, 'target.db')];
  makeStoreFile(path);
  const shared = new SharedArrayBuffer(4);
  const cell = new Int32Array(shared);
  const inTheMaking = () => readdirSync(folder).find((name) => /^sds-partial-.*\.db$/.test(name));
  let first: string | undefined;
  // what the main thread does: the caller wants no more in the second pass
  const progress = new Progress(shared, { pause: () => 0 } as unknown as Throttle, (reply) => {
    if (reply.kind === 'progress' && reply.progress.Done === reply.progress.Total) {
      first ??= inTheMaking();
      if (inTheMaking() === first) utimesSync(path, 1, 1);
      else Atomics.compareExchange(cell, 0, RUNNING, STOPPED);
    }
    if (reply.kind === 'ready') Atomics.compareExchange(cell, 0, RUNNING, ALLOWED);
  });
  await expect(work(path, target, progress)).rejects.toBeInstanceOf(Stopped);
  expect(readdirSync(folder).filter((name) => !name.startsWith('source.db'))).toEqual([]);
});
