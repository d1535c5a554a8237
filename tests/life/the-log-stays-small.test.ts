/** The write-ahead log is emptied when there is nothing else to do, whatever it was that filled it. */
import { readdirSync, readlinkSync, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as nextMillisecond } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';

const MiB = 1024 * 1024;
const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** What this process has open, on Linux. */
function openFiles(): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // closed meanwhile
    }
  });
}

/** Resolves once a file is no larger; woken by what happens in its folder. */
async function shrinksTo(path: string, bytes: number): Promise<void> {
  const watcher = watch(dirname(path));
  let wake = () => {};
  watcher.on('change', () => wake());
  try {
    while (sizeOf(path) > bytes) {
      // an event may have come before this watcher was there: look again now and then
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
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

  it('is emptied after one snapshot larger than the log is ever kept', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.saveSnapshot(new Uint8Array(80 * MiB));
    await shrinksTo(`${file}-wal`, 2 * MiB);
    await provider.close();
  });

  const loads = {
    'patches of 500 bytes': { storeId: 'store', bytes: 500, rounds: 25 },
    // a small patch is mostly what it takes besides its bytes: nobody may take the log for smaller than it is
    'patches of 10 bytes under a long name': { storeId: 'n'.repeat(300), bytes: 10, rounds: 25 },
  };
  for (const [what, { storeId, bytes, rounds }] of Object.entries(loads)) {
    it(`stays bounded while writes never pause: ${what}`, async () => {
      const file = freshFile();
      const provider = new SDS_DesktopPersistenceProvider(file, storeId);
      let largest = 0;
      for (let round = 0; round < rounds; round++) {
        for (let i = 1; i <= 10_000; i++) void provider.appendPatch(new Uint8Array(bytes), round * 10_000 + i);
        await provider.flush();
        largest = Math.max(largest, sizeOf(`${file}-wal`));
      }
      await provider.close();
      expect(largest).toBeLessThan(56 * MiB);
      expect(sizeOf(file)).toBeGreaterThan(100 * MiB);
    });
  }

  it('is taken into the database a little at a time while patches come without a pause', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.ready();
    const patch = new Uint8Array(4096);
    const checkpoints = () => provider.statistics().Worker.Checkpoints;
    for (let clock = 1; checkpoints() < 2; clock++) {
      provider.appendPatch(patch, clock).catch((error: unknown) => expect(error).toBeUndefined());
      await nextMillisecond(1);
    }
    expect(sizeOf(`${file}-wal`)).toBeLessThan(40 * MiB); // a commit runs one itself from 48 MB on
    await provider.close();
    while (openFiles().some((open) => open.startsWith(file))) await nextMillisecond(1);
  });

  it('stays bounded while many stores are written to, each in its own place', async () => {
    const file = freshFile();
    const providers = Array.from({ length: 1000 }, (_, i) => new SDS_DesktopPersistenceProvider(file, `store ${i}`));
    let largest = 0;
    for (let turn = 1; turn <= 100; turn++) {
      await Promise.all(providers.map((provider) => provider.appendPatch(new Uint8Array(10), turn)));
      largest = Math.max(largest, sizeOf(`${file}-wal`));
    }
    // 100 turns write a page and more for each store: without checkpoints, some 400 MiB
    expect(providers[0]?.statistics().Worker.Checkpoints).toBeGreaterThan(0);
    expect(largest).toBeLessThan(56 * MiB);
    await Promise.all(providers.map((provider) => provider.close()));
  });

  it('does not stay as large as one large snapshot has made it', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.ready();
    const reader = new DatabaseSync(file);
    reader.exec('BEGIN; SELECT * FROM snapshots'); // keeps the log as it is until it was looked at
    await provider.saveSnapshot(new Uint8Array(80 * MiB));
    await provider.flush();
    expect(sizeOf(`${file}-wal`)).toBeGreaterThan(80 * MiB);
    reader.close();
    let clock = 0;
    let largest = 0;
    for (let round = 0; round < 15; round++) {
      for (let i = 0; i < 10_000; i++) void provider.appendPatch(new Uint8Array(100), ++clock);
      await provider.flush();
      if (round > 0) largest = Math.max(largest, sizeOf(`${file}-wal`));
    }
    expect(largest).toBeLessThan(56 * MiB);
    await provider.close();
  });
});
