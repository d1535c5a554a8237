/** A server that refuses a statement that changes two tables, as one may that distributes them: patches are stored in another way. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, ownPlace, postgresql, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { sqlOfTables } from './outcomes.ts';

/** Refuses what such a server refuses, with its code, and counts how often it was asked: a sequence is not undone with the transaction. */
const REFUSAL = `
  CREATE SEQUENCE asked;
  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      IF current_query() LIKE 'WITH %' THEN
        PERFORM nextval('asked');
        RAISE EXCEPTION 'a statement can not change two distributed tables' USING ERRCODE = '0A000';
      END IF;
      RETURN NULL;
    END $$;
  CREATE TRIGGER refusal BEFORE INSERT ON sds_patches FOR EACH STATEMENT EXECUTE FUNCTION refuse();`;

describeOnPostgresql('a server that takes no statement on two tables', () => {
  it('is asked once; all is stored, once and in order, and numbers that meet are noticed', async () => {
    const url = await ownPlace();
    const database = databaseOf(url);
    await sqlOfTables(url);
    await server.query(REFUSAL, undefined, database);
    const provider = new SDS_DesktopPersistenceProvider(url, 'store');
    onTestFinished(() => provider.close());
    const other = new SDS_DesktopPersistenceProvider(url, 'other');
    onTestFinished(() => other.close());
    for (let clock = 1; clock <= 5; clock++) await provider.appendPatch(patchOf(clock), clock);
    const calls = Array.from({ length: 100 }, (_, i) => [
      provider.appendPatch(patchOf(i), i + 6),
      other.appendPatch(patchOf(i), i + 1),
    ]);
    await Promise.all(calls.flat());
    await provider.appendPatch(patchOf('other bytes'), 1);
    expect(provider.ClockCollisions).toBe(1);
    expect((await provider.loadPatchesSince(0)).slice(0, 5)).toEqual([1, 2, 3, 4, 5].map(patchOf));

    const { patches } = await postgresql.rowsOf(url);
    const numbersOf = (store: string) => patches.flatMap(({ store_id, clock }) => (store_id === store ? [clock] : []));
    const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);
    expect([numbersOf('store'), numbersOf('other')]).toEqual([upTo(105), upTo(100)]);
    const [row] = await server.query<{ asked: string }>(
      'SELECT last_value AS asked FROM asked WHERE is_called',
      [],
      database,
    );
    expect(row?.asked).toBe('1');
  });
});
