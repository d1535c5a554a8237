/** Copies into a PostgreSQL database that are cut off: called again, they end, and nothing is there twice. */
import { copyStores } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { differenceOf } from '../../torture/database-rows.ts';
import { type Fault, MessageProxy } from '../../torture/message-proxy.ts';
import { runAt } from '../../torture/postgresql-copying.ts';
import { findingsOf } from '../../torture/rig.ts';
import { makeOddFile } from '../support/copied-files.ts';
import { freshFile } from '../support/files.ts';
import { describeOnPostgresql, postgresql, proxiedPlace, server } from '../support/postgresql.ts';
import { linesOf, rowsOf } from '../support/rows.ts';

describeOnPostgresql('a copy that is cut off', () => {
  it('by SIGKILL and by a lost connection, twice each', async () => {
    const findings = await findingsOf((context) => runAt(server, context), 20_260_201, 0.01);
    expect(findings.violations).toEqual([]);
    expect(findings.counts).toMatchObject({ 'processes killed': 2, 'connections cut': 2 });
  });

  it.each([
    ['in the middle', 'COMMIT', 'COMMIT'],
    ['at its end', 'DELETE FROM sds_copies', 'DELETE'],
  ])('by a connection that loses the answer to a commit %s', async (when, request, answer) => {
    const source = makeOddFile(freshFile(), 0.1);
    const { proxy, database, url } = await proxiedPlace();
    let lost: Promise<void> | undefined;
    const copied = copyStores(source, url, {
      OnProgress({ Done }) {
        if (Done > 0) lost ??= proxy.loseAnswerTo({ [request]: answer });
      },
    });
    if (when === 'at its end') {
      await copied;
    } else {
      await expect(copied).rejects.toMatchObject({ code: 'connection-failed' });
      await copyStores(source, url);
    }
    await lost;
    const found = await postgresql.rowsOf(server.url(database));
    expect(differenceOf(linesOf(found), linesOf(rowsOf(source)))).toBeUndefined();
  });

  it('within the last request, for the rest of which the server waits: it does not wait for what that has locked', async () => {
    const source = makeOddFile(freshFile(), 0.1);
    const commit = (await copyThrough(source)).seen.up.lastIndexOf('P COMMIT');
    const { struck } = await copyThrough(source, { mishap: 'cut within', direction: 'up', number: commit });
    expect(struck).toBe('P COMMIT');
  }, 45_000); // the server keeps it for 60 s
});

/** Into a database of its own. */
async function copyThrough(source: string, fault?: Omit<Fault, 'sqlstate'>): Promise<MessageProxy> {
  const database = await server.freshDatabase();
  onTestFinished(() => server.dropDatabase(database));
  const proxy = await MessageProxy.listen(server.port, server.host, fault && { ...fault, sqlstate: '' });
  onTestFinished(() => proxy.close());
  await copyStores(source, server.url(database, { port: proxy.port }));
  return proxy;
}
