/** The end of a process on PostgreSQL: what was called is committed if the server is there, and if it is not the process ends all the same. */
import { expect, it, onTestFinished } from 'vitest';
import { describeOnPostgresql, ownPlace, postgresql, proxiedPlace, server } from '../support/postgresql.ts';
import { freePort } from '../support/postgresql-address.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { runProgram } from '../support/programs.ts';

const provider = (options = '{}') =>
  `const provider = new SDS_DesktopPersistenceProvider(file, 'store', ${options});\n`;
const thousand = `for (let clock = 1; clock <= 1000; clock++) provider.appendPatch(patchOf(clock), clock).catch(() => {});\n`;

describeOnPostgresql('the end of a process', () => {
  it.each([
    ['process.exit()', 'process.exit(7);', 7],
    ['an uncaught error', "throw new Error('uncaught');", 1],
    ['its natural end', '', 0],
  ])('%s: all that was called is committed first', async (_, end, wanted) => {
    const url = await postgresql.freshPlace();
    const { code } = await runProgram(`${provider()}await provider.ready();\n${thousand}${end}`, url);
    expect(code).toBe(wanted);
    expect((await postgresql.rowsOf(url)).patches).toHaveLength(1000);
  });

  it('in the turn in which the provider is made: all that was called is committed first', async () => {
    const url = await postgresql.freshPlace();
    const { code } = await runProgram(`${provider()}${thousand}process.exit(0);`, url);
    expect(code).toBe(0);
    expect((await postgresql.rowsOf(url)).patches).toHaveLength(1000);
  });

  it('what is called in a later listener is committed, too, although the store was given back before', async () => {
    const url = await postgresql.freshPlace();
    const text = `${provider()}await provider.appendPatch(patchOf(1), 1);
      process.on('exit', () => {
        for (const clock of [2, 3]) provider.appendPatch(patchOf(clock), clock).catch(() => {});
      });
      process.exit(0);`;
    const { code, stderr } = await runProgram(text, url);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect((await postgresql.rowsOf(url)).patches).toHaveLength(3);
  });

  it('so is it where the answer to giving the store back was lost', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const lost = proxy.loseAnswerTo({ 'DELETE FROM sds_holders WHERE session': 'COMMIT' });
    const text = `${provider()}await provider.appendPatch(patchOf(1), 1);
      process.on('exit', () => provider.appendPatch(patchOf(2), 2).catch(() => {}));
      process.exit(0);`;
    const { code, stderr } = await runProgram(text, url);
    await lost;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect((await postgresql.rowsOf(server.url(database))).patches).toHaveLength(2);
  });

  it('a provider that is not closed, and has nothing to do, keeps no process', async () => {
    const url = await postgresql.freshPlace();
    const text = `${provider()}await provider.appendPatch(patchOf(1), 1); console.log('done');`;
    expect(await runProgram(text, url)).toMatchObject({ code: 0, stdout: 'done\n' });
  });

  it('one that was fenced gives back what it has, and waits for no lock on its store', async () => {
    const url = await ownPlace();
    const database = databaseOf(url);
    const client = await server.connect(database);
    onTestFinished(() => client.end());
    const text = `${provider('{ LeaseMs: 600_000 }')}await provider.ready();
      process.once('SIGTERM', () => process.exit(7));
      setInterval(() => {}, 1000);
      console.log('ready');`;
    const { code } = await runProgram(text, url, {
      onOutput: async (_, end) => {
        await client.query('UPDATE sds_holders SET fenced = true');
        await client.query('BEGIN; SELECT FROM sds_stores FOR UPDATE');
        end('SIGTERM');
      },
    });
    expect(code).toBe(7);
    expect(await server.query('SELECT session FROM sds_holders', [], database)).toEqual([]);
    expect(await server.query('SELECT store_id FROM sds_claims', [], database)).toEqual([]);
  });

  it('no server: calls reject, and the process ends by itself', async () => {
    const url = server.url('any', { port: await freePort() });
    const text = `${provider('{ RetryForMs: 300 }')}
      const outcomes = await Promise.allSettled([provider.appendPatch(patchOf(1), 1), provider.loadSnapshot()]);
      for (const { reason } of outcomes) console.log(reason.code);
      await provider.close();
      console.log('closed');`;
    const { code, stdout } = await runProgram(text, url);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'connection-failed\nconnection-failed\nclosed\n' });
  });

  it('the server goes away in mid-burst: the end is not put off for longer than 10 s, and it is said', async () => {
    const { proxy, url } = await proxiedPlace();
    const text = `${provider()}await provider.ready();
      const cut = stayFor(new Promise((resolve) => process.once('SIGUSR2', resolve)));
      console.log('ready');
      await cut;
      ${thousand}process.exit(7);`;
    const { code, stderr } = await runProgram(text, url, {
      onOutput: (_, signal) => {
        proxy.refuse();
        proxy.cutNow();
        signal('SIGUSR2');
      },
    });
    expect(code).toBe(7);
    expect(stderr).toContain('(SDS_PersistenceWarning) nothing was committed for 10000 ms');
    expect(stderr).toContain('the server answers; a function Password is not called any more');
  });
});
