/** Patches whose numbers are free are stored by one statement, in one round trip, whatever is done with those that are taken. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, ownPlace, postgresql, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { sqlOfTables } from './outcomes.ts';

/**
 * Notes the statements that insert patches, and counts those that do so together with the fence: a sequence is not undone with the
 * transaction.
 */
const COUNTED = `
  CREATE TABLE insertions (transaction bigint);
  CREATE SEQUENCE together MINVALUE 0;
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      INSERT INTO public.insertions VALUES (txid_current());
      IF current_query() LIKE 'WITH %' THEN PERFORM nextval('together'); END IF;
      RETURN NULL;
    END $$;
  CREATE TRIGGER noted BEFORE INSERT ON sds_patches FOR EACH STATEMENT EXECUTE FUNCTION note();`;

describeOnPostgresql('patches whose numbers are free', () => {
  it.each(['keep', 'ignore'] as const)('go by one statement with OnClockCollision %j', async (OnClockCollision) => {
    const url = await ownPlace();
    await sqlOfTables(url);
    await server.query(COUNTED, [], databaseOf(url));
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { OnClockCollision });
    onTestFinished(() => provider.close());
    for (let clock = 1; clock <= 5; clock++) await provider.appendPatch(patchOf(clock), clock);
    const sql = 'SELECT last_value::int + 1 AS count FROM together WHERE is_called';
    expect(await server.query(sql, [], databaseOf(url))).toEqual([{ count: 5 }]);
    // one that is taken, beside one that is not
    await Promise.all([provider.appendPatch(patchOf('other bytes'), 3), provider.appendPatch(patchOf(9), 9)]);
    const { patches } = await postgresql.rowsOf(url);
    const kept = OnClockCollision === 'keep' ? [6] : [];
    expect(patches.map(({ clock }) => clock)).toEqual([1, 2, 3, 4, 5, ...kept, 9]);
  });

  it('go by one statement in whatever order they come, also beside one that is kept', async () => {
    const url = await ownPlace();
    await sqlOfTables(url);
    await server.query(COUNTED, [], databaseOf(url));
    const open = (store: string, OnClockCollision: 'keep' | 'ignore') => {
      const provider = new SDS_DesktopPersistenceProvider(url, store, { OnClockCollision });
      onTestFinished(() => provider.close());
      return provider;
    };
    const [keeping, other] = [open('keeping', 'keep'), open('other', 'ignore')];
    await Promise.all([keeping.ready(), other.ready()]);
    const descending = Array.from({ length: 50 }, (_, i) => other.appendPatch(patchOf(i), 50 - i));
    await Promise.all([...descending, keeping.appendPatch(patchOf(1), 1)]);
    const sql = 'SELECT count(*) FROM insertions GROUP BY transaction HAVING count(*) > 1';
    expect(await server.query(sql, [], databaseOf(url))).toEqual([]);
    expect((await postgresql.rowsOf(url)).patches).toHaveLength(51);
  });
});
