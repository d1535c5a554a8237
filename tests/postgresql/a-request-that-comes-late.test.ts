/** What a connection that was lost has sent is carried out after it was sent again over the next one: it must not be committed twice. */
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { OtherProcess } from '../../torture/other-process.ts';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, mayEndNothing, postgresql, proxiedPlace, server } from '../support/postgresql.ts';

/** Its promises stand for commits. */
function open(url: string, store: string, options: SDS_ProviderOptions = {}): SDS_DesktopPersistenceProvider {
  const provider = new SDS_DesktopPersistenceProvider(url, store, { Acknowledge: 'committed', ...options });
  onTestFinished(() => provider.close());
  return provider;
}

/** Whether another process may have a store. */
async function isFree(database: string, store: string): Promise<boolean> {
  const other = new OtherProcess();
  onTestFinished(() => other.end());
  const answer = await other.request(server.url(database), store, 'open', { BusyTimeoutMs: 0 });
  expect([undefined, 'fenced']).toContain(answer);
  await other.request(server.url(database), store, 'close');
  return answer === undefined;
}

describeOnPostgresql('a request that comes late', () => {
  it('does nothing once another connection has done its work', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = open(url, 'store');
    await provider.saveValue('value', patchOf('value'));
    await mayEndNothing(database);

    const held = proxy.holdBack('INTO sds_values');
    const saved = provider.saveValue('value', patchOf('value'));
    const deliver = await held;
    await saved;
    await provider.releaseValue('value');
    await deliver();

    const { blobs } = await postgresql.rowsOf(server.url(database));
    expect(blobs.map(({ ref_count }) => Number(ref_count))).toEqual([1]);
    await provider.releaseValue('value');
    expect(await provider.loadValue('value')).toBeUndefined();
  });

  it('does not give a store back that was claimed again meanwhile', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const kept = open(url, 'kept');
    const first = open(url, 'store');
    await Promise.all([kept.ready(), first.ready()]);
    await mayEndNothing(database);

    const held = proxy.holdBack('DELETE FROM sds_claims');
    const closed = first.close();
    const deliver = await held;
    await closed;
    const again = open(url, 'store');
    await again.appendPatch(patchOf(1), 1);
    await deliver();

    expect(await isFree(database, 'store')).toBe(false);
  });

  it('does nothing after the last provider was closed while the next one was made', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const first = open(url, 'store');
    await first.ready();
    await mayEndNothing(database);
    const held = proxy.holdBack('INTO sds_values');
    const calls = [
      first.saveValue('value', patchOf('value')),
      first.saveSnapshot(patchOf('old'), 1),
      first.appendPatch(patchOf(5), 5),
    ];
    const deliver = await held;
    await Promise.all(calls);
    await first.saveSnapshot(patchOf('new'), 6);
    await first.prunePatches(6);

    // it joins the queue whose end the server has carried out, and nobody has heard of
    proxy.answerMs = 100;
    const leaves = proxy.passes('DELETE FROM sds_holders WHERE session');
    const closed = first.close();
    await leaves;
    const next = open(url, 'store');
    await closed;
    proxy.answerMs = 0;
    await next.appendPatch(patchOf(7), 7);
    await deliver();

    const { blobs, snapshots, patches } = await postgresql.rowsOf(server.url(database));
    expect(blobs).toMatchObject([{ ref_count: 1 }]);
    expect(snapshots).toMatchObject([{ clock: 6 }]);
    expect(patches).toMatchObject([{ clock: 7 }]);
  });

  it('claims no store that nobody has open any more', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const kept = open(url, 'kept', { LeaseMs: 600_000, RetryForMs: 300 });
    await kept.ready();
    await mayEndNothing(database);
    const held = proxy.holdBack('INSERT INTO sds_claims');
    proxy.refuse();
    const left = open(url, 'left');
    const deliver = await held;
    await left.close();
    proxy.accept();
    await kept.appendPatch(patchOf(1), 1);
    await deliver();
    expect(await isFree(database, 'left')).toBe(true);
  });

  it('nor one that was still this process’s when it sent that, after it had been fenced', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const options: SDS_ProviderOptions = { LeaseMs: 600_000, RetryForMs: 300 };
    const [kept, left] = ['kept', 'left'].map((store) => open(url, store, options));
    if (kept === undefined || left === undefined) throw new Error('there are two');
    await Promise.all([kept.ready(), left.ready()]);
    await mayEndNothing(database);
    await server.query('UPDATE sds_holders SET fenced = true', [], database);
    await server.query("DELETE FROM sds_claims WHERE store_id = 'kept'", [], database);
    const held = proxy.holdBack('INSERT INTO sds_claims');
    proxy.refuse();
    const lost = left.appendPatch(patchOf(1), 1);
    const deliver = await held;
    await expect(lost).rejects.toMatchObject({ code: 'connection-failed' });
    await left.close();
    proxy.accept();
    await expect(kept.appendPatch(patchOf(1), 1)).rejects.toMatchObject({ code: 'fenced' });
    await deliver();
    expect(await isFree(database, 'left')).toBe(true);
  });

  it('finds nobody at the server who would begin it: half of it may come', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = open(url, 'store');
    await provider.ready();
    const backends =
      "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND application_name = 'sds-persistence-worker'";
    const [before] = await server.query(backends, [database]);
    const held = proxy.holdBack('INTO sds_values');
    const saved = provider.saveValue('value', patchOf('value'));
    const deliver = await held;
    await saved;
    await expect.poll(() => server.query(backends, [database])).not.toContainEqual(before);
    await deliver();
  });

  it('of which half has come keeps nobody waiting for the rest', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = open(url, 'store');
    await provider.ready();
    // the server has the value's row locked, and waits for the end of the transaction
    const half = proxy.keepFrom('UPDATE sds_holders');
    const saved = provider.saveValue('value', patchOf('value'));
    (await half).cut();
    await saved;
    await (await half).deliver();
    expect((await postgresql.rowsOf(server.url(database))).blobs).toMatchObject([{ ref_count: 1 }]);
  });

  it('of which half has come, and the next connection is lost before it has seen to that: the same', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = open(url, 'store');
    await provider.ready();
    const keepsHalf = proxy.keepFrom('UPDATE sds_holders');
    const saved = provider.saveValue('value', patchOf('value'));
    const half = await keepsHalf;
    const keepsNext = proxy.keepFrom('pg_terminate_backend');
    half.cut();
    const next = await keepsNext;
    next.cut();
    await saved;
    await Promise.all([half.deliver(), next.deliver()]);
    expect((await postgresql.rowsOf(server.url(database))).blobs).toMatchObject([{ ref_count: 1 }]);
  });

  it('of which half has come, over the connection that renews the lease beside a call: the same', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = open(url, 'store', { LeaseMs: 1000, BusyTimeoutMs: 30_000 });
    await provider.saveValue('value', patchOf('value'));
    const other = await server.connect(database);
    onTestFinished(() => other.end());
    await other.query('BEGIN; SELECT FROM sds_values FOR UPDATE');
    const request = proxy.passes('INSERT INTO sds_values');
    const saved = provider.saveValue('value', patchOf('value'));
    await request;
    // the server has this process's row locked, which each of its transactions needs
    const half = await proxy.keepFrom('COMMIT');
    half.cut();
    await other.query('ROLLBACK');
    await saved;
    await half.deliver();
    expect((await postgresql.rowsOf(server.url(database))).blobs).toMatchObject([{ ref_count: 2 }]);
  });

  it('of which half has come, and which waits for a lock when it is looked for: the same', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = open(url, 'store', { LeaseMs: 1000, BusyTimeoutMs: 30_000 });
    await provider.saveValue('value', patchOf('value'));
    const other = await server.connect(database);
    onTestFinished(() => other.end());
    await other.query('BEGIN; SELECT FROM sds_values FOR UPDATE');
    const keepsHalf = proxy.keepFrom('WITH held');
    const saved = provider.saveValue('value', patchOf('value'));
    const half = await keepsHalf;
    await expect.poll(() => server.waitingForLock(database)).toHaveLength(1);
    half.cut();
    await expect.poll(() => server.waitingForLock(database)).toHaveLength(2); // the next one has looked for it, and waits behind it
    await other.query('ROLLBACK');
    await saved;
    await half.deliver();
    expect((await postgresql.rowsOf(server.url(database))).blobs).toMatchObject([{ ref_count: 2 }]);
  });

  it('of which half has come, over a line that has gone silent: the same', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const provider = open(url, 'store', { RetryForMs: 20_000 });
    await provider.ready();
    const half = proxy.keepFrom('UPDATE sds_holders');
    await provider.saveValue('value', patchOf('value'));
    await (await half).deliver();
    expect((await postgresql.rowsOf(server.url(database))).blobs).toMatchObject([{ ref_count: 1 }]);
  });
});
