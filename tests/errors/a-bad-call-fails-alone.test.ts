/** Calls that were gathered in one batch with a bad one are carried out all the same. */
import { createHash } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as immediate } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freshFile, patchOf, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

describe('a bad call fails alone', () => {
  it('a value that does not match its hash, among patches, values and reads of one tick', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { VerifyValues: true });
    const good = patchOf('a value');
    const hash = createHash('sha256').update(good).digest('hex');
    const before = provider.appendPatch(patchOf(1), 1);
    const bad = provider.saveValue(hash, patchOf('another value'));
    const after = provider.appendPatch(patchOf(2), 2);
    const saved = provider.saveValue(hash, good);
    const loaded = provider.loadValue(hash);
    const patches = provider.loadPatchesSince(0);
    await expect(bad).rejects.toMatchObject({ code: 'invalid-argument' });
    await Promise.all([before, after, saved]);
    expect(await loaded).toEqual(good);
    expect(await patches).toHaveLength(2);
    await expect(provider.flush()).resolves.toBeUndefined();
    await provider.close();
    expect(rowsOf(file).blobs).toMatchObject([{ hash, ref_count: 1 }]);
  });

  it('a value that a table of the program’s own refers to, whose rules hold as for the synchronous provider', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { Acknowledge: 'committed' });
    for (const name of ['pinned', 'attached', 'free']) await provider.saveValue(name, patchOf(name));
    const own = new DatabaseSync(file);
    own.exec(`CREATE TABLE pins (hash TEXT REFERENCES blobs (hash)); INSERT INTO pins VALUES ('pinned');
      CREATE TABLE attachments (hash TEXT REFERENCES blobs (hash) ON DELETE CASCADE); INSERT INTO attachments VALUES ('attached')`);
    const before = provider.appendPatch(patchOf(1), 1);
    const bad = provider.releaseValue('pinned');
    const others = [
      provider.releaseValue('attached'),
      provider.releaseValue('free'),
      provider.appendPatch(patchOf(2), 2),
    ];
    await expect(bad).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(
        ': a rule of another table in the file forbids it (FOREIGN KEY constraint failed); ',
      ),
    });
    await Promise.all([before, ...others]);
    expect(own.prepare('SELECT * FROM attachments').all()).toEqual([]);
    own.close();
    await provider.close();
    expect(rowsOf(file)).toMatchObject({ patches: [{ clock: 1 }, { clock: 2 }], blobs: [{ hash: 'pinned' }] });
  });

  it('a prune where a table of the program’s own refers to what is no key: that table’s rule is named', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { Acknowledge: 'committed' });
    await provider.appendPatch(patchOf(1), 1);
    const own = new DatabaseSync(file);
    own.exec('CREATE TABLE notes (patch REFERENCES patches (data))');
    own.close();
    const bad = provider.prunePatches(2);
    const saved = provider.saveSnapshot(patchOf('snapshot'), 1);
    await expect(bad).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('a rule of another table in the file forbids it (foreign key mismatch'),
    });
    await saved;
    await provider.close();
    expect(rowsOf(file)).toMatchObject({ patches: [{ clock: 1 }], snapshots: [{ clock: 1 }] });
  });

  it('a value that does not match its hash, among the first records of a file, which make their table', async () => {
    const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', { VerifyValues: true });
    const records = ['a', 'b'].map((key) => provider.saveRecord(key, patchOf(key)));
    const bad = provider.saveValue('0'.repeat(64), patchOf(1));
    await expect(bad).rejects.toMatchObject({ code: 'invalid-argument' });
    await Promise.all(records);
    expect((await provider.loadRecords()).map(({ Key }) => Key)).toEqual(['a', 'b']);
    await provider.close();
  });

  it("a patch that 'keep' has no free number for", async () => {
    const last = Number.MAX_SAFE_INTEGER;
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { OnClockCollision: 'keep' });
    await provider.appendPatch(patchOf('the last number'), last);
    const before = provider.appendPatch(patchOf(1), 1);
    const loaded = provider.loadPatchesSince(0);
    await Promise.all([before, loaded]);
    const bad = provider.appendPatch(patchOf('the last number, too'), last);
    await expect(bad).rejects.toMatchObject({ code: 'invalid-argument' });
    await provider.appendPatch(patchOf(2), 2);
    await provider.close();
    expect(rowsOf(file).patches).toHaveLength(3);
  });

  it('among compactions, each of which is carried out once, or not at all, whatever is tried anew', async () => {
    await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', { VerifyValues: true });
    for (const clock of [1, 2]) void provider.appendPatch(patchOf(clock), clock);
    const seen = await provider.loadStore();
    const first = provider.compactStore(patchOf('1 and 2'), seen);
    const patch = provider.appendPatch(patchOf(3), 3);
    const bad = provider.saveValue('0'.repeat(64), patchOf('another value'));
    const second = provider.compactStore(patchOf('again'), seen);
    const record = provider.saveRecord('key', patchOf('record'));
    await expect(bad).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(await Promise.all([first, patch, second, record])).toEqual([true, undefined, false, undefined]);
    const { Snapshot, Patches } = await provider.loadStore();
    expect([Snapshot, ...Patches]).toEqual([patchOf('1 and 2'), patchOf(3)]);
    expect(await provider.loadRecords()).toHaveLength(1);
  });

  it.each(
    Object.entries({
      prunePatches: { call: (other) => other.prunePatches(10), left: [2] },
      removeStore: { call: (other) => other.removeStore(), left: [2] },
      'appendPatch of the next number': { call: (other) => other.appendPatch(patchOf(99), 2), left: [1, 99, 2] },
    } satisfies Record<string, { call(other: SDS_DesktopPersistenceProvider): Promise<unknown>; left: number[] }>),
  )('among calls of two providers of a store, which keep their order: %s', async (_, { call, left }) => {
    const file = freshFile();
    await using one = new SDS_DesktopPersistenceProvider(file, 'store', { OnClockCollision: 'keep' });
    await using other = new SDS_DesktopPersistenceProvider(file, 'store', { OnClockCollision: 'keep' });
    await using third = new SDS_DesktopPersistenceProvider(file, 'another store', { VerifyValues: true });
    await Promise.all([one, other, third].map((each) => each.ready()));
    const before = one.appendPatch(patchOf(1), 1);
    const between = call(other);
    const after = one.appendPatch(patchOf(2), 2);
    const bad = third.saveValue('0'.repeat(64), patchOf('another value'));
    await expect(bad).rejects.toMatchObject({ code: 'invalid-argument' });
    await Promise.all([before, between, after]);
    expect(await one.loadPatchesSince(0)).toEqual(left.map(patchOf));
  });

  it('among patches of two providers in turn, over several slabs', async () => {
    const file = freshFile();
    const providers = ['one', 'another'].map((store) => {
      return new SDS_DesktopPersistenceProvider(file, store, { VerifyValues: true });
    });
    const [one, another] = providers as [SDS_DesktopPersistenceProvider, SDS_DesktopPersistenceProvider];
    await Promise.all([one.ready(), another.ready()]);
    const bad = one.saveValue('0'.repeat(64), patchOf('another value'));
    const clocks = Array.from({ length: 5000 }, (_, index) => index);
    const appended = clocks.flatMap((clock) =>
      providers.map((provider) => provider.appendPatch(patchOf(clock), clock)),
    );
    await expect(bad).rejects.toMatchObject({ code: 'invalid-argument' });
    await Promise.all(appended);
    for (const provider of providers) {
      expect(await provider.loadPatchesSince(-1)).toEqual(clocks.map(patchOf));
      await provider.close();
    }
  });

  // with all calls of a batch read for each of them, it takes longer than a test may
  it('among 100,000 calls of one turn', async () => {
    await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', { VerifyValues: true });
    await provider.ready();
    const bad: Promise<void>[] = [];
    const good: Promise<void>[] = [];
    for (let call = 0; call < 100_000; call++) {
      good.push(provider.removeRecord('key'));
      if (call % 50 === 0) bad.push(provider.saveValue('0'.repeat(64), patchOf(call)));
    }
    const outcomes = await Promise.allSettled(bad);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(2000);
    await Promise.all(good);
  });

  it('flush and flushSync tell of a call that was pending and failed', async () => {
    const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', { VerifyValues: true });
    await provider.ready();
    const failed = provider.saveValue('0'.repeat(64), patchOf(1));
    const flushed = provider.flush();
    await expect(failed).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(flushed).rejects.toMatchObject({ code: 'invalid-argument' });
    const again = provider.saveValue('0'.repeat(64), patchOf(1));
    again.catch(() => 'checked below');
    expect(provider.flushSync()).toBe(false);
    await expect(again).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(provider.flushSync()).toBe(true);
    await provider.close();
  });

  it('a value whose name is no SHA-256 is not verified', async () => {
    await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', { VerifyValues: true });
    for (const name of ['fnv1a-811c9dc5', 'abc', 'g'.repeat(64)]) {
      await provider.saveValue(name, patchOf(name));
      expect(await provider.loadValue(name)).toEqual(patchOf(name));
    }
  });

  for (const blocked of [false, true]) {
    it(`each failed call has its own cause${blocked ? ', also told to a thread that is blocked' : ''}`, async () => {
      const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', {
        VerifyValues: true,
        Acknowledge: 'committed',
      });
      await provider.ready();
      const hashes = Array.from({ length: 300 }, (_, i) => createHash('sha256').update(String(i)).digest('hex'));
      // small ones of several batches, and some that cross by themselves
      const saved = hashes.map((hash, i) => provider.saveValue(hash, new Uint8Array(i % 50 === 0 ? 200_000 : 8000)));
      const outcomes = Promise.allSettled(saved);
      if (blocked) expect(provider.flushSync()).toBe(false);
      for (const [i, outcome] of (await outcomes).entries()) {
        const { code, cause } = (outcome as PromiseRejectedResult).reason as { code: string; cause: Error };
        expect(code).toBe('invalid-argument');
        expect(cause.message).toContain(hashes[i]);
      }
      await provider.close();
    });
  }

  it('of more failures than are kept, some have no cause, but none has that of another', async () => {
    const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', {
      VerifyValues: true,
      Acknowledge: 'committed',
    });
    await provider.ready();
    const hashes = Array.from({ length: 5000 }, (_, i) => createHash('sha256').update(String(i)).digest('hex'));
    const saved = hashes.map((hash) => provider.saveValue(hash, new Uint8Array(1)));
    const outcomes = Promise.allSettled(saved);
    provider.flushSync();
    let explained = 0;
    for (const [i, outcome] of (await outcomes).entries()) {
      const { cause } = (outcome as PromiseRejectedResult).reason as { cause?: Error };
      if (cause === undefined) continue;
      explained++;
      expect(cause.message).toContain(hashes[i]);
    }
    expect(explained).toBeGreaterThanOrEqual(1000);
    await provider.close();
  });

  it('a call that there is no memory for, which rejects, and does not throw', async () => {
    const { code, stdout, stderr } = await runProgram(
      `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      await provider.ready();
      // no block of shared memory beyond a megabyte is to be had
      const { SharedArrayBuffer: Real } = globalThis;
      globalThis.SharedArrayBuffer = class extends Real {
        constructor(length) {
          if (length > 1_000_000) throw new RangeError('Array buffer allocation failed');
          super(length);
        }
      };
      const before = provider.appendPatch(patchOf(1), 1);
      const bytes = new Uint8Array(2_000_000);
      const failed = provider.saveSnapshot(bytes, 1);
      const after = provider.appendPatch(patchOf(2), 2);
      const { code, message, cause } = await failed.catch((error) => error);
      await Promise.all([before, after]);
      console.log(JSON.stringify({ code, message, cause: cause.message, left: bytes.length, patches: (await provider.loadPatchesSince(0)).length }));
      await provider.saveSnapshot(bytes, 1).catch(() => {});
      await provider.flush(); // with nothing else behind it
      await provider.saveSnapshot(bytes, 1).catch(() => {});
      // it leaves nothing behind that takes up the room of others
      const other = new SDS_DesktopPersistenceProvider(file + '-other', 'store', { MaxPendingBytes: 1, Overflow: 'reject' });
      await other.ready();
      await other.appendPatch(patchOf(1), 1);
      await Promise.all([provider.close(), other.close()]);`,
      freshFile(),
      { env: { SDS_PERSISTENCE_WORKERS: '1' } },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { message, ...found } = JSON.parse(stdout) as { message: string };
    expect(found).toEqual({ code: 'io-error', cause: 'Array buffer allocation failed', left: 2_000_000, patches: 2 });
    expect(message).toContain('no memory');
  });

  it('a value of which the stored bytes were changed is not believed', async () => {
    const file = freshFile();
    const value = patchOf('value');
    const hash = createHash('sha256').update(value).digest('hex');
    const unsuspecting = new SDS_DesktopPersistenceProvider(file, 'store');
    await unsuspecting.saveValue(hash, patchOf('changed'));
    const verifying = new SDS_DesktopPersistenceProvider(file, 'store', { VerifyValues: true });
    await expect(verifying.loadValue(hash)).rejects.toMatchObject({ code: 'database-corrupt' });
    expect(await unsuspecting.loadValue(hash)).toEqual(patchOf('changed'));
    await Promise.all([unsuspecting.close(), verifying.close()]);
  });

  it('that finds its batch being carried out, and goes into the next one: its promise waits for that one', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', {
      Acknowledge: 'committed',
      BusyTimeoutMs: 60_000,
    });
    await provider.ready();
    const other = new DatabaseSync(file);
    other.exec(`CREATE TRIGGER refusal BEFORE INSERT ON snapshots BEGIN SELECT RAISE(ABORT, 'on purpose'); END;
      PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE`);
    let begun = 0;
    const count = () => begun++;
    subscribe('tracing:sds-persistence:commit:start', count);
    onTestFinished(() => void unsubscribe('tracing:sds-persistence:commit:start', count));
    const good = provider.appendPatch(patchOf(1), 1);
    const bad = [];
    while (begun < 2) {
      bad.push(provider.saveSnapshot(patchOf(2), 1));
      await immediate();
    }
    const outcomes = Promise.allSettled(bad);
    other.close();
    await good;
    expect((await outcomes).filter(({ status }) => status === 'fulfilled')).toEqual([]);
    await provider.close();
  });
});
