/** Of several PostgreSQL sources, those whose turn has not come yet keep their moment, however long the others take. */
import { expect, it, vi } from 'vitest';
import { parsePostgresqlUrl } from '../../src/protocol/postgresql/url.ts';
import { CopyConnection } from '../../src/worker/operations/copying/copy-connection.ts';
import { ServerReader } from '../../src/worker/operations/copying/server-reader.ts';
import { loadPg } from '../../src/worker/postgresql/load-pg.ts';
import { describeOnPostgresql, postgresql, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';

vi.mock('../../src/protocol/surroundings.ts', async (original) => {
  const surroundings = await original<typeof import('../../src/protocol/surroundings.ts')>();
  // minutes are short here
  const setInterval = (work: () => void, ms = 0) => surroundings.setInterval(work, ms >= 60_000 ? 20 : ms);
  return { ...surroundings, setInterval };
});

describeOnPostgresql('a source that waits for its turn', () => {
  it('is asked now and then, so that the server does not end its transaction', async () => {
    const url = await postgresql.freshPlace();
    const target = parsePostgresqlUrl(url, process.env);
    if (typeof target === 'string') throw new Error(target);
    const source = await CopyConnection.open(loadPg([import.meta.dirname]), target);
    try {
      await new ServerReader(source, async () => {}).holdStill();
      const [[pid = null] = []] = await source.rows('SELECT pg_backend_pid()');
      const askedAt = async (): Promise<unknown> => {
        const sql = 'SELECT query_start::text AS at FROM pg_stat_activity WHERE pid = $1';
        return (await server.query(sql, [pid], databaseOf(url)))[0]?.at;
      };
      const first = await askedAt();
      await expect.poll(askedAt).not.toBe(first);
      const next = await askedAt();
      await expect.poll(askedAt).not.toBe(next);
      expect(await source.rows('SELECT 1')).toEqual([['1']]);
    } finally {
      await source.close();
    }
  });
});
