/** What overlapping calls come to: patches that are called while a snapshot is on its way, and numbers that meet. */
import { setImmediate } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';
import { text } from './contract-suite.ts';

function describeOverlaps(freshPlace: () => string | Promise<string>): void {
  const open = (place: string, options: SDS_ProviderOptions = {}) => {
    const provider = new SDS_DesktopPersistenceProvider(place, 'store', options);
    onTestFinished(() => provider.close());
    return provider;
  };
  const left = async (provider: SDS_DesktopPersistenceProvider) =>
    (await provider.loadPatchesSince(0)).map((patch) => Number(text(patch).slice(6)));
  const append = (provider: SDS_DesktopPersistenceProvider, from: number, to: number) => {
    for (let clock = from; clock <= to; clock++) void provider.appendPatch(patchOf(clock), clock);
  };

  describe("a prune, where promises stand for commits (Acknowledge: 'committed')", () => {
    const withPatches = async (place: string | Promise<string> = freshPlace()) => {
      const provider = open(await place, { Acknowledge: 'committed' });
      append(provider, 1, 11);
      await provider.flush();
      return provider;
    };

    it('deletes what it names, if the snapshot was stored before the patch was called', async () => {
      const provider = await withPatches();
      await provider.saveSnapshot(patchOf('snapshot'), 11);
      await setImmediate();
      append(provider, 12, 13);
      await provider.prunePatches(13);
      expect(await left(provider)).toEqual([13]);
    });

    it('leaves what was called in the turn in which the snapshot has settled: whoever waited may go on only behind it', async () => {
      const provider = await withPatches();
      await provider.saveSnapshot(patchOf('snapshot'), 11);
      append(provider, 12, 13);
      await provider.prunePatches(14);
      expect(await left(provider)).toEqual([12, 13]);
      await provider.saveSnapshot(patchOf('with 13'), 13);
      await provider.prunePatches(14);
      expect(await left(provider)).toEqual([]);
    });

    it('leaves what clients add as soon as they are answered, though the program waits by way of functions of its own', async () => {
      const provider = await withPatches();
      let last = 11;
      let goesOn = true;
      const acknowledged: number[] = [];
      const client = async () => {
        while (goesOn) {
          const clock = ++last;
          await provider.appendPatch(patchOf(clock), clock);
          acknowledged.push(clock);
        }
      };
      const clients = [client(), client(), client(), client()];
      const saved = async (clock: number) => {
        await provider.saveSnapshot(new Uint8Array(3000), clock);
      };
      const checkpoint = async () => {
        const clock = last;
        await saved(clock);
        await provider.prunePatches(last);
        return clock;
      };
      const clocks: number[] = [];
      while (clocks.length < 20) clocks.push(await checkpoint());
      goesOn = false;
      await Promise.all(clients);
      const found = new Set(await left(provider));
      const inSnapshot = Math.max(...clocks);
      expect(acknowledged.filter((clock) => clock > inSnapshot && !found.has(clock))).toEqual([]);
    });

    it('leaves what is called behind flushSync() in the turn in which that stores the snapshot', async () => {
      const provider = await withPatches();
      const checkpoint = provider.saveSnapshot(patchOf('snapshot'), 11).then(() => provider.prunePatches(14));
      await setImmediate();
      provider.flushSync();
      append(provider, 12, 13);
      await checkpoint;
      expect(await left(provider)).toEqual([12, 13]);
    });

    it('leaves what is called while a call is held until the snapshot has given its room back', async () => {
      const options = { Acknowledge: 'committed', Overflow: 'block', MaxPendingBytes: 1024 * 1024 } as const;
      const provider = open(await freshPlace(), options);
      append(provider, 1, 11);
      await provider.flush();
      const checkpoint = provider.saveSnapshot(new Uint8Array(2_000_000), 11).then(() => provider.prunePatches(14));
      await setImmediate();
      void provider.appendPatch(Buffer.from(text(patchOf(12)).padEnd(200_000)), 12);
      append(provider, 13, 13);
      await checkpoint;
      expect(await left(provider)).toEqual([12, 13]);
    });

    it('leaves what was called while the snapshot was on its way, until a later one has it', async () => {
      const provider = await withPatches();
      const saved = provider.saveSnapshot(patchOf('snapshot'), 11);
      append(provider, 12, 14);
      await saved;
      await provider.saveSnapshot(patchOf('with 5'), 5);
      await provider.prunePatches(14);
      expect(await left(provider)).toEqual([12, 13, 14]);
      await provider.saveSnapshot(patchOf('with 13'), 13);
      await provider.prunePatches(15);
      expect(await left(provider)).toEqual([14]);
      await provider.saveSnapshot(patchOf('with 14'), 14);
      await provider.prunePatches(15);
      expect(await left(provider)).toEqual([]);
    });

    it('leaves it also where a snapshot called before that one has a higher number', async () => {
      const provider = await withPatches();
      const saved = [20, 11].map((clock) => provider.saveSnapshot(patchOf(clock), clock));
      append(provider, 12, 12);
      await Promise.all(saved);
      await provider.prunePatches(13);
      expect(await left(provider)).toEqual([12]);
    });

    it('leaves it for another provider of the store as well', async () => {
      const place = await freshPlace();
      const provider = await withPatches(place);
      const another = open(place, { Acknowledge: 'committed' });
      const saved = provider.saveSnapshot(patchOf('snapshot'), 11);
      void another.appendPatch(patchOf(12), 12);
      await saved;
      await provider.prunePatches(13);
      expect(await left(provider)).toEqual([12]);
    });

    it('deletes what it names, if nothing was waited for', async () => {
      const provider = await withPatches();
      void provider.saveSnapshot(patchOf('snapshot'), 11);
      append(provider, 12, 14);
      void provider.prunePatches(14);
      expect(await left(provider)).toEqual([14]);
    });

    it('deletes what it names, if snapshots carry no number', async () => {
      const provider = await withPatches();
      const saved = provider.saveSnapshot(patchOf('snapshot'));
      append(provider, 12, 14);
      await saved;
      await provider.prunePatches(14);
      expect(await left(provider)).toEqual([14]);
    });
  });

  it('a prune leaves what was called while the snapshot waited for the file to be opened', async () => {
    const provider = open(await freshPlace());
    append(provider, 1, 11);
    const saved = provider.saveSnapshot(patchOf('snapshot'), 11);
    await null; // in what follows, a snapshot of the synchronous provider would be stored and pruned behind already
    append(provider, 12, 14);
    await saved;
    await provider.prunePatches(14);
    expect(await left(provider)).toEqual([12, 13, 14]);
  });

  it('what a prune leaves is deleted behind a later snapshot that has it, also where promises resolve at once', async () => {
    const provider = open(await freshPlace());
    const saved = provider.saveSnapshot(patchOf('snapshot'), 11); // waits for the file to be opened
    await null;
    append(provider, 12, 15);
    await saved;
    await provider.prunePatches(13);
    expect(await left(provider)).toEqual([12, 13, 14, 15]);
    await provider.saveSnapshot(patchOf('with 15'), 15);
    await provider.flush();
    await provider.prunePatches(16);
    expect(await left(provider)).toEqual([]);
  });

  it('a prune leaves what is called in the turn in which the snapshot was stored, by a blocked thread, before the file was open', async () => {
    const provider = open(await freshPlace());
    append(provider, 1, 11);
    const checkpoint = provider.saveSnapshot(patchOf('snapshot'), 11).then(() => provider.prunePatches(14));
    provider.flushSync();
    append(provider, 12, 13);
    await checkpoint;
    expect(await left(provider)).toEqual([12, 13]);
  });

  it('a prune behind a snapshot deletes what it names, where promises resolve at once', async () => {
    const provider = open(await freshPlace());
    await provider.ready();
    append(provider, 1, 11);
    void provider.saveSnapshot(patchOf('snapshot'), 11);
    append(provider, 12, 14);
    void provider.prunePatches(14);
    expect(await left(provider)).toEqual([14]);
  });

  it('a prune behind a snapshot whose promise had resolved deletes what was called meanwhile, and in the turn in which it is stored', async () => {
    const provider = open(await freshPlace());
    await provider.ready();
    append(provider, 1, 11);
    void provider.saveSnapshot(patchOf('snapshot'), 11);
    await null;
    append(provider, 12, 12);
    provider.flushSync();
    append(provider, 13, 14);
    void provider.prunePatches(14);
    expect(await left(provider)).toEqual([14]);
  });

  it('a prune deletes what was called in one run with the snapshot, also before the file is open', async () => {
    const provider = open(await freshPlace());
    append(provider, 1, 11);
    const saved = provider.saveSnapshot(patchOf('snapshot'), 11);
    append(provider, 12, 14);
    await saved;
    await provider.prunePatches(14);
    expect(await left(provider)).toEqual([14]);
  });

  it('a prune deletes what it names, also where an earlier snapshot was stored while the thread was blocked', async () => {
    const place = await freshPlace();
    const provider = open(place);
    append(provider, 1, 11);
    void provider.saveSnapshot(patchOf('snapshot'), 11);
    expect(provider.flushSync()).toBe(true);
    await setImmediate();
    append(provider, 12, 14);
    const another = open(place, { Acknowledge: 'committed' });
    await another.saveSnapshot(patchOf('with 12'), 12);
    await another.prunePatches(14);
    expect(await left(provider)).toEqual([14]);
    const saved = another.saveSnapshot(patchOf('with 14'), 14);
    append(provider, 15, 15);
    await saved;
    await another.prunePatches(16);
    expect(await left(provider)).toEqual([15]);
  });

  describe('numbers that providers of one store use side by side', () => {
    it('are kept, in the order of each provider, also if it repeats one', async () => {
      const place = await freshPlace();
      const [one, two] = [open(place), open(place)];
      await Promise.all([one.ready(), two.ready()]);
      await one.appendPatch(patchOf(101), 1);
      await one.appendPatch(patchOf(102), 2);
      await two.appendPatch(patchOf(201), 1);
      await two.appendPatch(patchOf(202), 2);
      await two.appendPatch(patchOf(203), 3);
      await one.appendPatch(patchOf(103), 3);
      await one.appendPatch(patchOf(103), 3);
      await one.appendPatch(patchOf(104), 3);
      const found = await left(one);
      expect(found.filter((number) => number < 200)).toEqual([101, 102, 103, 104]);
      expect(found.filter((number) => number > 200)).toEqual([201, 202, 203]);
      expect([one.ClockCollisions, two.ClockCollisions]).toEqual([0, 0]);
    });

    it('are kept in one transaction, too, where only one of the two keeps', async () => {
      const place = await freshPlace();
      const [one, two] = [open(place, { OnClockCollision: 'ignore' }), open(place, { OnClockCollision: 'keep' })];
      const calls = [one.appendPatch(patchOf(1), 1), two.appendPatch(patchOf(2), 1), two.appendPatch(patchOf(3), 2)];
      await Promise.all(calls);
      expect(await left(one)).toEqual([1, 2, 3]);
      expect(two.ClockCollisions).toBe(0);
    });

    it('are kept in one transaction, too, where the other one has gone on to higher numbers since', async () => {
      const place = await freshPlace();
      const [one, two] = [open(place, { OnClockCollision: 'ignore' }), open(place, { OnClockCollision: 'keep' })];
      const calls = [two.appendPatch(patchOf(1), 1), one.appendPatch(patchOf(2), 2), two.appendPatch(patchOf(3), 2)];
      await Promise.all(calls);
      expect(await left(one)).toEqual([1, 2, 3]);
      expect(two.ClockCollisions).toBe(0);
    });

    it('are kept in one transaction, too, if many are as long and differ in their last byte alone', async () => {
      const place = await freshPlace();
      const [one, two] = [open(place), open(place, { OnClockCollision: 'keep' })];
      const lastByte = (last: number) => new Uint8Array(300).with(-1, last);
      const own = Array.from({ length: 40 }, (_, at) => one.appendPatch(lastByte(at), at));
      await Promise.all(own);
      await Promise.all(Array.from({ length: 40 }, (_, at) => two.appendPatch(lastByte(100 + at), at)));
      const found = (await one.loadPatchesSince(-1)).map((patch) => patch.at(-1));
      expect(new Set(found).size).toBe(80);
    });

    it('are kept where a patch crosses by itself, too', async () => {
      const place = await freshPlace();
      const [one, two] = [open(place), open(place)];
      await one.appendPatch(new Uint8Array(200_000).fill(1), 1);
      await two.appendPatch(new Uint8Array(200_000).fill(2), 1);
      expect((await one.loadPatchesSince(0)).map((patch) => patch[0])).toEqual([1, 2]);
    });

    it('are the first one’s, one provider after the other: then the second could know them', async () => {
      const place = await freshPlace();
      const first = open(place);
      await first.appendPatch(patchOf(1), 1);
      await first.close();
      const second = open(place);
      await second.appendPatch(patchOf(2), 1);
      expect(await left(second)).toEqual([1]);
      expect(second.ClockCollisions).toBe(1);
    });

    it.each([100, 100_000, 200_000])("are the first one's with 'ignore': of %d bytes", async (length) => {
      const place = await freshPlace();
      const [one, two] = [open(place, { OnClockCollision: 'ignore' }), open(place, { OnClockCollision: 'ignore' })];
      await Promise.all([one.ready(), two.ready()]);
      await one.appendPatch(new Uint8Array(length).fill(1), 1);
      await two.appendPatch(new Uint8Array(length).fill(2), 1);
      await two.appendPatch(new Uint8Array(length).fill(1), 1);
      expect((await one.loadPatchesSince(0)).map((patch) => patch[0])).toEqual([1]);
      expect(two.ClockCollisions).toBe(1);
    });
  });
}

describe('on SQLite', () => describeOverlaps(freshFile));
describeOnPostgresql('on PostgreSQL', () => describeOverlaps(postgresql.freshPlace));
