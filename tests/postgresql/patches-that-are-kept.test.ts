/** Numbers that meet, with `OnClockCollision: 'keep'`, on PostgreSQL. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { describeKeptPatches } from '../semantics/patches-that-are-kept-suite.ts';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, ownPlace, postgresql, proxiedPlace, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { sqlOfTables } from './outcomes.ts';

const PATCHES = 300;

const open = (url: string) => new SDS_DesktopPersistenceProvider(url, 'store', { OnClockCollision: 'keep' });

/** Keeps rows above a number out, without an error. */
const KEEPS_OUT = `
  CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.clock > 1 THEN RETURN NULL; END IF; RETURN NEW; END';
  CREATE TRIGGER keeps_out BEFORE INSERT ON sds_patches FOR EACH ROW EXECUTE FUNCTION keep_out();`;

describeOnPostgresql('on PostgreSQL', () => {
  describeKeptPatches('a database', open, postgresql.freshPlace, postgresql.rowsOf);

  it('of many under one number, each one begins to look for a free number where the one before has found one', async () => {
    const url = await ownPlace();
    const provider = open(url);
    const calls = Array.from({ length: PATCHES }, (_, i) => provider.appendPatch(patchOf(i), 1));
    await Promise.all(calls);
    expect(await provider.loadPatchesSince(0)).toHaveLength(PATCHES);
    await provider.close();
    // how often the server has looked for a number, as it reports when a connection ends
    const looks = async () => {
      const [found] = await server.query<{ looks: number }>(
        "SELECT idx_scan::int AS looks FROM pg_stat_user_tables WHERE relname = 'sds_patches'",
        [],
        databaseOf(url),
      );
      return found?.looks ?? 0;
    };
    await expect.poll(looks).toBeGreaterThan(PATCHES);
    expect(await looks()).toBeLessThan(20 * PATCHES);
  });

  it('one that is kept is not told as lost where its commit is found out later, because the answer was lost', async () => {
    const { proxy, url } = await proxiedPlace();
    const provider = open(url);
    onTestFinished(() => provider.close());
    await provider.appendPatch(patchOf('first'), 1);
    await provider.flush();
    const lost = proxy.loseAnswerTo({ COMMIT: 'COMMIT' });
    // with a value: patches alone are tried first by a statement that inserts all or none, whose commit says nothing
    await Promise.all([provider.appendPatch(patchOf('second'), 1), provider.saveValue('value', patchOf('value'))]);
    await lost;
    await provider.flush();
    expect(provider.ClockCollisions).toBe(0);
    expect(await provider.loadPatchesSince(0)).toEqual(['first', 'second'].map(patchOf));
  });

  it('a trigger of the program that keeps rows out without an error: the call that looks for a free number rejects', async () => {
    const url = await ownPlace();
    await sqlOfTables(url);
    await server.query(KEEPS_OUT, undefined, databaseOf(url));
    const provider = open(url);
    onTestFinished(() => provider.close());
    await provider.appendPatch(patchOf('first'), 1);
    await expect(provider.appendPatch(patchOf('second'), 1)).rejects.toMatchObject({
      code: 'io-error',
      message: expect.stringMatching(/free number 2.*trigger/),
    });
    expect(await provider.loadPatchesSince(0)).toEqual([patchOf('first')]);
  });
});
