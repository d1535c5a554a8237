/** All stores of a process on one database share its connections, and give them back. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';

const STORES = 200;

describeOnPostgresql('200 stores on one database', () => {
  it('use two connections at most while they work, and none once they are closed', async () => {
    const url = await postgresql.freshPlace();
    const providers = Array.from(
      { length: STORES },
      (_, i) => new SDS_DesktopPersistenceProvider(url, `store ${i}`, { LeaseMs: 1000 }),
    );
    let most = 0;
    const look = async () => {
      most = Math.max(most, await server.connectionsOf(databaseOf(url)));
    };
    for (let round = 1; round <= 10; round++) {
      const calls = providers.map((provider) => provider.appendPatch(patchOf(round), round));
      if (round % 5 === 0)
        calls.push(...providers.map((provider, i) => provider.saveValue(`${i}`, new Uint8Array(50_000))));
      await Promise.all([...calls, look()]);
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(2);
    await Promise.all(providers.map((provider) => provider.close()));
    await expect.poll(() => server.connectionsOf(databaseOf(url))).toBe(0); // the server notices a moment later
    const { patches, blobs } = await postgresql.rowsOf(url);
    expect([patches.length, blobs.length]).toEqual([STORES * 10, STORES]);
  });
});
