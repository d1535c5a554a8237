/**
 * A value whose promise has resolved, and that could not be stored after all: the program goes on to release what it
 * believes to have saved. That must not take the reference of another entry.
 */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FailedSaves } from '../../src/protocol/failed-saves.ts';
import { livingWorkers } from '../../torture/living-workers.ts';
import { freshFile, patchOf, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';
import { canMount, fill, smallDisk } from '../support/small-disk.ts';

/** Carries out calls while another process has the file, until so many of them have failed. */
async function whileLocked(file: string, failures: number, call: () => Promise<unknown>): Promise<void> {
  const told = new EventTarget();
  const failed = () => --failures === 0 && told.dispatchEvent(new Event('all'));
  subscribe('sds-persistence:write-failed', failed);
  const other = new DatabaseSync(file);
  other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  try {
    const all = once(told, 'all');
    await call();
    await all;
  } finally {
    other.close();
    unsubscribe('sds-persistence:write-failed', failed);
  }
}

const countOf = (file: string) => rowsOf(file).blobs.map(({ ref_count }) => ref_count);
const outcomeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fine',
    ({ code, message }: { code: string; message: string }) => `${code}: ${message}`,
  );

for (const [size, bytes] of [
  ['small', patchOf('picture')],
  ['large', new Uint8Array(300_000).fill(7)],
] as const) {
  describe(`a value (${size}) that one entry has, and another one could not save`, () => {
    async function open() {
      const file = freshFile();
      const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 50 });
      onTestFinished(() => provider.close().catch(() => undefined)); // rejects with what is not told yet
      await provider.ready();
      await provider.saveValue('hash', bytes);
      await provider.flush();
      return { file, provider };
    }

    it('stays when that one is released, and goes when the first one is', async () => {
      const { file, provider } = await open();
      await whileLocked(file, 1, () => provider.saveValue('hash', bytes));
      await provider.releaseValue('hash');
      expect(await provider.loadValue('hash')).toEqual(bytes);
      expect(await outcomeOf(provider.flush())).toMatch(/^database-busy: saveValue/);
      await provider.releaseValue('hash');
      expect(await provider.loadValue('hash')).toBeUndefined();
    });

    it('stays also if the worker is lost before that one is released', async () => {
      const { file, provider } = await open();
      await whileLocked(file, 1, () => provider.saveValue('hash', bytes));
      await Promise.all([...livingWorkers].map((worker) => worker.terminate()));
      await provider.releaseValue('hash');
      expect(await provider.loadValue('hash')).toEqual(bytes);
    });

    it('goes when the first one is, if the release of the other one has failed as its save had', async () => {
      const { file, provider } = await open();
      await whileLocked(file, 2, async () => {
        await provider.saveValue('hash', bytes);
        await provider.releaseValue('hash');
      });
      expect(countOf(file)).toEqual([1]);
      await provider.releaseValue('hash');
      expect(await provider.loadValue('hash')).toBeUndefined();
    });

    it('is done with once the refusal of its release was heard, also for the next worker', async () => {
      const { file, provider } = await open();
      await whileLocked(file, 2, async () => {
        await provider.saveValue('other', bytes);
        await provider.saveValue('hash', bytes);
      });
      await provider.releaseValue('other');
      expect(await outcomeOf(provider.flush())).toMatch(/^database-busy: saveValue/);
      expect(await outcomeOf(provider.releaseValue('hash'))).toMatch(/no reference was taken away/);
      await Promise.all([...livingWorkers].map((worker) => worker.terminate()));
      expect(await outcomeOf(provider.releaseValue('hash'))).toBe('fine');
      expect(await provider.loadValue('hash')).toBeUndefined();
    });

    it('is not done with by a release that has rejected for another reason, and is called again', async () => {
      const { file, provider } = await open();
      // from then on the promises of releases wait for the commit
      await whileLocked(file, 1, () => provider.releaseValue('another'));
      await whileLocked(file, 1, () => provider.saveValue('hash', bytes));
      const other = new DatabaseSync(file);
      other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
      expect(await outcomeOf(provider.releaseValue('hash'))).toMatch(/^database-busy: .*call again/);
      other.close();
      expect(await outcomeOf(provider.releaseValue('hash'))).toMatch(/no reference was taken away/);
      expect(countOf(file)).toEqual([1]);
    });

    it('is counted once for each save that was stored, whatever came between', async () => {
      const { file, provider } = await open();
      await whileLocked(file, 1, () => provider.saveValue('hash', bytes));
      await provider.saveValue('hash', bytes);
      expect(countOf(file)).toEqual([2]);
      expect(await outcomeOf(provider.releaseValue('hash'))).toBe('fine');
      expect(await outcomeOf(provider.flush())).toMatch(/^database-busy: saveValue/);
      expect(countOf(file)).toEqual([2]);
      expect(await outcomeOf(provider.releaseValue('hash'))).toBe('fine');
      expect(await outcomeOf(provider.flush())).toBe('fine');
      expect(countOf(file)).toEqual([1]);
    });

    describe('and releases before it can know that', () => {
      /** One that is committed by itself; from then on no save is refused any more. */
      const inBetween = (provider: SDS_DesktopPersistenceProvider) => provider.saveSnapshot(new Uint8Array(300_000), 1);

      async function openWithOne(BusyTimeoutMs: number) {
        const file = freshFile();
        const options = { Acknowledge: 'committed', BusyTimeoutMs } as const;
        const provider = new SDS_DesktopPersistenceProvider(file, 'store', options);
        onTestFinished(() => provider.close());
        await provider.ready();
        await provider.saveValue('hash', bytes);
        return { file, provider };
      }

      /** Another program's trigger refuses the first of these calls. */
      async function refusing(call: (provider: SDS_DesktopPersistenceProvider) => Promise<unknown>[]) {
        const { file, provider } = await openWithOne(60_000);
        const other = new DatabaseSync(file);
        other.exec(
          `CREATE TRIGGER refusal BEFORE UPDATE ON blobs WHEN NOT EXISTS (SELECT 1 FROM snapshots)
            BEGIN SELECT RAISE(ABORT, 'on purpose'); END`,
        );
        other.close();
        return { file, provider, outcomes: await Promise.all(call(provider).map(outcomeOf)) };
      }

      it('stays, and goes when the first one is', async () => {
        const { file, provider, outcomes } = await refusing((provider) => [
          provider.saveValue('hash', bytes),
          inBetween(provider),
          provider.releaseValue('hash'),
          provider.saveValue('hash', bytes),
          provider.releaseValue('hash'),
        ]);
        const refused = expect.stringMatching(/^invalid-argument: releaseValue .*no reference was taken away/);
        const failed = expect.stringMatching(/^invalid-argument: saveValue .*on purpose/);
        expect(outcomes).toEqual([failed, 'fine', refused, 'fine', 'fine']);
        expect(countOf(file)).toEqual([1]);
        expect(await outcomeOf(provider.releaseValue('hash'))).toBe('fine');
        expect(await provider.loadValue('hash')).toBeUndefined();
      });

      it('goes when it is released by a program that knows', async () => {
        const { provider, outcomes } = await refusing((provider) => {
          const saved = provider.saveValue('hash', bytes);
          return [saved, saved.catch(() => provider.releaseValue('hash')), inBetween(provider)];
        });
        expect(outcomes).toEqual([expect.stringMatching(/^invalid-argument: saveValue/), 'fine', 'fine']);
        expect(await provider.loadValue('hash')).toBeUndefined();
      });

      it('stays also if the worker is lost before it comes to the release', async () => {
        const { file, provider } = await openWithOne(300);
        const other = new DatabaseSync(file);
        other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
        const calls = [provider.saveValue('hash', bytes), inBetween(provider), provider.releaseValue('hash')];
        const outcomes = calls.map(outcomeOf);
        expect(await outcomes[0]).toMatch(/^database-busy: saveValue/);
        await Promise.all([...livingWorkers].map((worker) => worker.terminate()));
        other.close();
        expect(await outcomes[2]).toMatch(/^database-busy: releaseValue .*no reference was taken away/);
        await outcomes[1];
        expect(countOf(file)).toEqual([1]);
      });
    });
  });
}

it.runIf(canMount)(
  'a value whose save and release fail in one batch, the release with its promise pending: it is done with, also for the next worker',
  async () => {
    const disk = smallDisk();
    const file = join(disk, 'store.db');
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 50 });
    onTestFinished(() => provider.close().catch(() => undefined));
    await provider.ready();
    await provider.saveValue('hash', patchOf('picture'));
    await provider.flush();
    // from then on the promises of releases wait for the commit
    await whileLocked(file, 1, () => provider.releaseValue('another'));
    const filler = fill(disk);
    const [saved, released] = [provider.saveValue('hash', new Uint8Array(60_000)), provider.releaseValue('hash')].map(
      outcomeOf,
    );
    expect(await saved).toBe('fine');
    expect(await released).toMatch(/^database-full: .*no reference was taken away/);
    rmSync(filler);
    await Promise.all([...livingWorkers].map((worker) => worker.terminate()));
    await provider.releaseValue('hash');
    expect(await provider.loadValue('hash')).toBeUndefined();
  },
);

it('of saves that have failed nothing is kept once the program has heard of all, and nothing is pending', async () => {
  const { code, stdout, stderr } = await runProgram(
    `import { setImmediate as turn } from 'node:timers/promises';
    let worker;
    process.on('worker', (started) => (worker = started));
    const options = { Acknowledge: 'committed', BusyTimeoutMs: 0 };
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', options);
    await provider.ready();
    const other = lockFile(file);
    const errors = [];
    const save = (index) => provider.saveValue('hash ' + index, new Uint8Array(1000)).catch((error) => errors.push(new WeakRef(error)));
    await Promise.all(Array.from({ length: 1000 }, (_, index) => save(index)));
    console.log(errors.length);
    await turn(); // within the job that made it, a weak reference holds
    gc();
    console.log(errors.filter((error) => error.deref() !== undefined).length);
    other.close();
    await provider.saveSnapshot(patchOf(1), 1);
    const heap = (await stayFor(worker.getHeapSnapshot().then((snapshot) => snapshot.toArray()))).join('');
    console.log((heap.match(/"hash \\d+"/g) ?? []).length);
    await provider.close();`,
    freshFile(),
    { flags: ['--expose-gc', '--disable-warning=ExperimentalWarning'] },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [failed, kept, keptByWorker] = stdout.trim().split('\n').map(Number);
  expect(failed).toBe(1000);
  expect(kept).toBeLessThan(3); // the last failure of a provider is one of what \`flush\` tells
  expect(keptByWorker).toBe(0); // which has heard of that with the call of another write
});

it('however many saves have failed, what is known of one is found without looking through the others', () => {
  const saves = new FailedSaves<string>();
  const keys = Array.from({ length: 100_000 }, (_, index) => `hash ${index}`);
  for (const key of keys) saves.add({ key, failure: key, batch: 2 }, 1);
  for (const key of keys) saves.add({ key: 'believed', failure: key, batch: undefined }, 1);
  expect(keys.every((key) => saves.before(key, 1) === key)).toBe(true);
  for (const _ of keys) saves.released('believed');
  expect(saves.before('believed', 1)).toBeUndefined();
  expect(keys.some((key) => saves.before(key, 2) !== undefined)).toBe(false);
  expect([...saves]).toEqual([]);
});

it('of the saves that have failed, those are kept that matter to what may still be called', () => {
  const saves = new FailedSaves<string>();
  for (let batch = 1; batch < 10_000; batch++) saves.add({ key: `hash ${batch}`, failure: '', batch }, batch - 3);
  expect([...saves].length).toBeLessThan(10);
});

it('those that matter no more are let go by releases of other values as well', () => {
  const saves = new FailedSaves<string>();
  for (let index = 0; index < 1000; index++) saves.add({ key: `hash ${index}`, failure: '', batch: 2 }, 1);
  for (let index = 0; index < 2000; index++) expect(saves.before(`another ${index}`, 2)).toBeUndefined();
  expect([...saves]).toEqual([]);
  // by then the number of their batch, which wraps around, may be that of one to come
  expect(saves.before('hash 1', (2 + 2 ** 31 + 1) | 0)).toBeUndefined();
});

it('a release that is refused for a save that has failed is that of none of which the program had heard before', () => {
  const saves = new FailedSaves<string>();
  for (const key of ['others', 'that', 'are', 'kept', 'hash']) saves.add({ key, failure: '', batch: 2 }, 1);
  saves.add({ key: 'hash', failure: '', batch: 5 }, 4);
  saves.released('hash');
  expect([...saves].filter(({ key }) => key === 'hash')).toEqual([]);
});

it('what is known of saves that have failed is let go of in the order of their batches, also by the next worker', () => {
  const saves = new FailedSaves<string>();
  for (const [batch, key] of ['hash', 'other', 'hash'].entries()) saves.add({ key, failure: `${batch}`, batch }, -1);
  for (const known of [saves, new FailedSaves(saves)]) {
    known.forgetHeard(1);
    expect(Array.from(known, ({ failure }) => failure)).toEqual(['2']);
  }
});
