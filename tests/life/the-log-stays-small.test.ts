/** The write-ahead log is emptied when there is nothing else to do, whatever it was that filled it. */
import { statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';

const MiB = 1024 * 1024;
const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Resolves once a file is no larger; woken by what happens in its folder. */
async function shrinksTo(path: string, bytes: number): Promise<void> {
  const watcher = watch(dirname(path));
  try {
    while (sizeOf(path) > bytes) {
      // an event may have come before this watcher was there: look again now and then
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        watcher.once('change', () => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  } finally {
    watcher.close();
  }
}

describe('the write-ahead log', () => {
  it('is emptied after many patches, and after they were pruned', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    for (let clock = 1; clock <= 40_000; clock++) void provider.appendPatch(new Uint8Array(500), clock);
    await provider.flush();
    await shrinksTo(`${file}-wal`, 2 * MiB);
    await provider.prunePatches(40_000);
    await shrinksTo(`${file}-wal`, 2 * MiB);
    expect(await provider.loadPatchesSince(0)).toHaveLength(1);
    await provider.close();
  });

  it('stays bounded while writes never pause', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    let largest = 0;
    for (let round = 0; round < 40; round++) {
      for (let i = 1; i <= 10_000; i++) void provider.appendPatch(new Uint8Array(500), round * 10_000 + i);
      await provider.flush();
      largest = Math.max(largest, sizeOf(`${file}-wal`));
    }
    expect(largest).toBeLessThan(64 * MiB);
    expect(sizeOf(file)).toBeGreaterThan(100 * MiB);
    await provider.close();
  });
});
