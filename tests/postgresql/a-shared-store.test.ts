/** Two processes write one store: each sees what the other has committed; numbers that meet do as OnClockCollision says. */
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { Program } from '../../torture/child-process.ts';
import { OtherProcess } from '../../torture/other-process.ts';
import { text } from '../semantics/contract-suite.ts';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';

async function two(options: SDS_ProviderOptions) {
  const url = await postgresql.freshPlace();
  const here = new SDS_DesktopPersistenceProvider(url, 'store', { Ownership: 'shared', ...options });
  onTestFinished(() => here.close());
  const other = new OtherProcess();
  onTestFinished(() => other.end());
  await other.request(url, 'store', 'open');
  const there = (bytes: Uint8Array, clock: number) =>
    other.request(url, 'store', { kind: 'appendPatch', clock, bytes });
  return { here, there, other, url };
}

describeOnPostgresql('a store that two processes share', () => {
  it('each sees the patches, snapshots and values of the other', async () => {
    const { here, there, other, url } = await two({});
    await here.appendPatch(patchOf('here'), 1);
    await there(patchOf('there'), 2);
    expect((await here.loadPatchesSince(0)).map(text)).toEqual(['patch here', 'patch there']);
    await here.saveValue('shared', patchOf('value'));
    await other.request(url, 'store', { kind: 'saveValue', hash: 'shared', bytes: patchOf('value') });
    await here.releaseValue('shared');
    expect(text(await here.loadValue('shared'))).toBe('patch value');
    await other.request(url, 'store', { kind: 'releaseValue', hash: 'shared' });
    expect(await here.loadValue('shared')).toBeUndefined();
  });

  it("'ignore': the first one wins, also if the other process was first, and the loss is counted", async () => {
    const { here, there } = await two({});
    await there(patchOf('there'), 1);
    await here.appendPatch(patchOf('here'), 1);
    await here.appendPatch(patchOf('there'), 1); // the same bytes are no loss
    expect((await here.loadPatchesSince(0)).map(text)).toEqual(['patch there']);
    expect(here.ClockCollisions).toBe(1);
  });

  it("'keep': both are there, in the order in which they came", async () => {
    const { here, there } = await two({ OnClockCollision: 'keep' });
    await there(patchOf('there'), 1);
    await there(patchOf('there too'), 2);
    await here.appendPatch(patchOf('here'), 1);
    await here.appendPatch(patchOf('there'), 1);
    expect((await here.loadPatchesSince(0)).map(text)).toEqual(['patch there', 'patch there too', 'patch here']);
    expect(here.ClockCollisions).toBe(0);
  });

  it('claims of processes that were killed and forgotten since go with the next one', async () => {
    const url = await postgresql.freshPlace();
    const database = databaseOf(url);
    for (const name of ['first', 'second']) {
      const program = new Program('owning', [url, 'store', name, '1', JSON.stringify({ Ownership: 'shared' })]);
      program.tell('again');
      await program.line((line) => line === 'value');
      await program.end();
    }
    await server.query("UPDATE sds_holders SET expires = expires - interval '8 days'", undefined, database);
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { Ownership: 'shared' });
    onTestFinished(() => provider.close());
    await provider.ready();
    const holders = await server.query('SELECT session, generation FROM sds_holders', undefined, database);
    expect(holders).toHaveLength(1);
    expect(await server.query('SELECT session, generation FROM sds_claims', undefined, database)).toEqual(holders);
  });
});
