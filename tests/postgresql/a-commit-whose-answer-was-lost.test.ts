/** The server commits, and the connection is cut in the place of its answer: found out, and not done again. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { errorResponse } from '../support/error-response.ts';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql, proxiedPlace, server } from '../support/postgresql.ts';
import { USER } from '../support/postgresql-address.ts';

type Provider = SDS_DesktopPersistenceProvider;

const large = new Uint8Array(1_000_000).fill(7);
/** Writes that are not the same if they are done twice, or are told by their rows. */
const writes: Record<string, (provider: Provider) => Promise<unknown>> = {
  'one patch': (provider) => provider.appendPatch(patchOf(1), 1),
  'a thousand patches': (provider) =>
    Promise.all(Array.from({ length: 1000 }, (_, i) => provider.appendPatch(patchOf(i), i))),
  'a snapshot': (provider) => provider.saveSnapshot(patchOf('snapshot'), 5),
  'a large snapshot': (provider) => provider.saveSnapshot(large, 6),
  'a value': (provider) => provider.saveValue('value', patchOf('value')),
  'a large value': (provider) => provider.saveValue('large', large),
  'a value twice and a release': (provider) =>
    Promise.all([
      provider.saveValue('counted', patchOf(1)),
      provider.saveValue('counted', patchOf(1)),
      provider.releaseValue('counted'),
    ]),
  'patches, a prune and a value': (provider) =>
    Promise.all([
      provider.appendPatch(patchOf('before'), 2000),
      provider.prunePatches(2001),
      provider.appendPatch(patchOf('after'), 2000),
      provider.saveValue('value', patchOf('value')),
    ]),
  'a compaction': (provider) => compact(provider, patchOf('snapshot')),
  'a large compaction': (provider) => compact(provider, large),
  'a compaction that is refused': (provider) => refuse(provider),
  'a store that is removed': (provider) =>
    Promise.all([
      provider.appendPatch(patchOf('before'), 1),
      provider.saveRecord('key', patchOf('before')),
      provider.removeStore(),
      provider.appendPatch(patchOf('after'), 1),
    ]),
  'records, in their order': (provider) =>
    Promise.all([
      ...['b', 'a', 'c'].map((key) => provider.saveRecord(key, patchOf(key))),
      provider.removeRecord('b'),
      provider.saveRecord('b', patchOf('made anew')),
    ]),
  'a large record': (provider) => provider.saveRecord('large', large),
};

/** Why the next connection can't find out what became of the commit. */
const refusals = {
  'and the next connection is refused': {
    refuse: (database: string) => server.query(`ALTER DATABASE ${database} RENAME TO ${database}_elsewhere`),
    admit: (database: string) => server.query(`ALTER DATABASE ${database}_elsewhere RENAME TO ${database}`),
    reason: 'does not exist',
  },
  'and the next connection has no rights any more': {
    refuse: (database: string) => server.query(`REVOKE ALL ON sds_holders FROM "${USER}"`, undefined, database),
    admit: (database: string) => server.query(`GRANT ALL ON sds_holders TO "${USER}"`, undefined, database),
    reason: 'permission denied',
  },
};

async function compact(provider: Provider, snapshot: Uint8Array): Promise<void> {
  const nothing = { SnapshotClock: undefined, Patches: [], LastClock: 0 };
  expect(await provider.compactStore(snapshot, nothing)).toBe(true);
}

/** Of a snapshot that nobody has stored. */
async function refuse(provider: Provider): Promise<void> {
  const other = { SnapshotClock: 1, Patches: [], LastClock: 1 };
  expect(await provider.compactStore(patchOf('snapshot'), other)).toBe(false);
}

describeOnPostgresql('an answer to a commit that was lost', () => {
  it.each(Object.entries(writes))('%s: every call resolves, and is carried out once', async (_, write) => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store');
    onTestFinished(() => provider.close());
    await provider.saveValue('value', patchOf('value'));

    // whichever way it commits: one statement that commits by itself, or a transaction
    const lost = proxy.loseAnswerTo({ COMMIT: 'COMMIT', 'INTO sds_patches': 'INSERT 0' });
    await write(provider);
    await lost;
    await provider.flush(); // what is acknowledged when it is queued may be a batch of its own
    expect(proxy.cut).toBe(1);

    // the same calls with nothing lost
    const place = await postgresql.freshPlace();
    const other = new SDS_DesktopPersistenceProvider(place, 'store');
    onTestFinished(() => other.close());
    await other.saveValue('value', patchOf('value'));
    await write(other);
    await other.flush();
    expect(await postgresql.rowsOf(server.url(database))).toEqual(await postgresql.rowsOf(place));
  });

  it.each([
    ['XX000', 'FATAL'],
    ['58000', 'ERROR'],
  ])('to a pooler, which says so by %s: the call resolves, and is carried out once', async (code, severity) => {
    const { proxy, url } = await proxiedPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { Acknowledge: 'committed' });
    onTestFinished(() => provider.close());
    await provider.saveValue('value', patchOf('value'));
    const lost = proxy.loseAnswerTo({ COMMIT: 'COMMIT' }, false);
    const call = provider.saveValue('value', patchOf('value'));
    await lost;
    proxy.say(errorResponse({ severity, code, message: 'the connection to the server is lost' }));
    await call;
    expect((await postgresql.rowsOf(url)).blobs).toMatchObject([{ ref_count: 2 }]);
  });

  it('and the table is locked when that is found out: the call resolves', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', {
      Acknowledge: 'committed',
      BusyTimeoutMs: 500,
    });
    onTestFinished(() => provider.close());
    await provider.appendPatch(patchOf(1), 1);
    const lost = proxy.loseAnswerTo({ 'INTO sds_patches': 'INSERT 0' }, false);
    const call = provider.appendPatch(patchOf(2), 2);
    await lost;
    const other = await server.connect(database);
    onTestFinished(() => other.end());
    await other.query('BEGIN; LOCK TABLE sds_patches IN ACCESS EXCLUSIVE MODE');
    proxy.cutNow();
    await call;
    await other.query('COMMIT');
    expect((await postgresql.rowsOf(server.url(database))).patches).toHaveLength(2);
  });

  it('and there was no commit, and the table is locked when that is found out: it is known not to be stored', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { Acknowledge: 'committed', BusyTimeoutMs: 0 });
    onTestFinished(() => provider.close());
    await provider.appendPatch(patchOf(1), 1);
    const other = await server.connect(database);
    onTestFinished(() => other.end());
    await other.query('BEGIN; LOCK TABLE sds_patches IN ACCESS EXCLUSIVE MODE');
    const held = proxy.holdBack('INTO sds_patches');
    const refused = expect(provider.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'database-busy' });
    await held;
    await refused;
  });

  it.each(Object.entries(refusals))('%s: it may be stored', async (_, { refuse, admit, reason }) => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { Acknowledge: 'committed' });
    onTestFinished(() => provider.close());
    await provider.saveValue('before', patchOf(1));
    const lost = proxy.loseAnswerTo({ COMMIT: 'COMMIT' }, false);
    const call = provider.saveValue('value', patchOf(2)).catch((error: unknown) => error);
    await lost;
    proxy.refuse();
    proxy.cutNow();
    await refuse(database);
    proxy.accept();
    expect(await call).toMatchObject({ code: 'connection-failed', message: expect.stringContaining(reason) });
    // nothing of a later call is in doubt
    await expect(provider.loadValue('value')).rejects.not.toMatchObject({ code: 'connection-failed' });
    await admit(database);
    await provider.saveValue('value', patchOf(2));
    const { blobs } = await postgresql.rowsOf(server.url(database));
    expect(blobs.map(({ hash, ref_count }) => [hash, ref_count])).toEqual([
      ['before', 1],
      ['value', 2],
    ]);
  });
});
