/** A server whose transactions are isolated more strictly by default: what is asked behind a lock is as new as the lock. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { OtherProcess } from '../../torture/other-process.ts';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, ownPlace, proxiedPlace, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';

const levels = ['repeatable read', 'serializable'];

async function setLevel(database: string, level: string): Promise<void> {
  await server.query(`ALTER DATABASE ${database} SET default_transaction_isolation = '${level}'`);
}

/** How many wait for a lock in a database. */
async function waiting(database: string): Promise<number> {
  return (await server.waitingForLock(database)).length;
}

describeOnPostgresql('a server that isolates transactions more strictly', () => {
  it.each(levels)('%s: of two processes that wait for the same claim, one gets the store', async (level) => {
    const url = await ownPlace();
    const database = databaseOf(url);
    await setLevel(database, level);
    const before = new SDS_DesktopPersistenceProvider(url, 'store');
    onTestFinished(() => before.close());
    await before.appendPatch(patchOf(1), 1);
    await before.close();
    const client = await server.connect(database);
    onTestFinished(() => client.end());
    await client.query('BEGIN; SELECT FROM sds_stores FOR UPDATE');
    const opened: OtherProcess[] = [];
    const opens = [1, 2].map(async () => {
      const process = new OtherProcess();
      onTestFinished(() => process.end());
      expect(await process.request(url, 'store', 'open', { BusyTimeoutMs: 60_000 })).toBeUndefined();
      opened.push(process);
    });
    await expect.poll(() => waiting(database)).toBe(2);
    await client.query('COMMIT');
    await Promise.race(opens);
    await expect.poll(() => waiting(database)).toBe(0);
    const claims = await server.query('SELECT FROM sds_claims', undefined, database);
    expect([claims.length, opened.length]).toEqual([1, 1]);
    await opened[0]?.request(url, 'store', 'close', { BusyTimeoutMs: 60_000 });
    await Promise.all(opens);
  });

  it.each(levels)('%s: a transaction that lasts is not undone by the renewal of the lease meanwhile', async (level) => {
    const { proxy, url, database } = await proxiedPlace();
    await setLevel(database, level);
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', {
      Acknowledge: 'committed',
      BusyTimeoutMs: 60_000,
      LeaseMs: 1000,
    });
    onTestFinished(() => provider.close());
    await provider.saveValue('value', patchOf('value'));
    const client = await server.connect(database);
    onTestFinished(() => client.end());
    await client.query('BEGIN; SELECT FROM sds_values FOR UPDATE');
    const call = provider.saveValue('value', patchOf('value'));
    await expect.poll(() => waiting(database)).toBe(1);
    let times = 0;
    void proxy.passes('INTO sds_values').then(() => times++);
    const expiry = async () => (await server.query('SELECT expires::text FROM sds_holders', undefined, database))[0];
    const first = await expiry();
    await expect.poll(expiry).not.toEqual(first);
    await client.query('COMMIT');
    await call;
    expect(times).toBe(0);
  });
});
