/** Documents on a PostgreSQL server: the same, in one process and in several. */
import { YjsPersistence, type YjsPersistenceOptions } from 'sds-persistence-worker/yjs';
import { expect, it, onTestFinished } from 'vitest';
import * as Y from 'yjs';
import {
  describeOnPostgresql,
  ownPlace,
  postgresql,
  server as postgresqlServer,
  proxiedPlace,
} from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { rubbish, runEditor, textOf, type, updateOf } from './documents.ts';

function persistenceOn(url: string, options: Partial<YjsPersistenceOptions<Y.Doc>> = {}): YjsPersistence<Y.Doc> {
  const persistence = new YjsPersistence(url, { Y, ...options });
  onTestFinished(async () => {
    await persistence.destroy().catch(() => undefined); // a test may have made it fail, or have destroyed it
  });
  return persistence;
}

/** Another process takes the document over as soon as it can, types into it, and gives it back. */
async function otherTypes(database: string, text: string): Promise<void> {
  const program = `const persistence = new YjsPersistence(file, { Y, leaseMs: 1000, busyTimeoutMs: 20_000 });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    type(doc, '${text}');
    await persistence.destroy();`;
  expect(await runEditor(program, postgresqlServer.url(database))).toMatchObject({ code: 0, stderr: '' });
}

/** The URLs of two schemas of a database. */
async function twoSchemas(database: string, ...schemas: [string, string]): Promise<[string, string]> {
  const urlOf = (schema: string) =>
    postgresqlServer.url(database, { parameters: `sslmode=disable&options=-csearch_path%3D${schema}` });
  for (const schema of schemas) {
    await postgresqlServer.query(`CREATE SCHEMA ${schema}; GRANT ALL ON SCHEMA ${schema} TO PUBLIC`, [], database);
  }
  return [urlOf(schemas[0]), urlOf(schemas[1])];
}

describeOnPostgresql('documents on a server', () => {
  it('are stored, merged, listed, opened again and deleted, with their metas', async () => {
    const url = await postgresql.freshPlace();
    const persistence = persistenceOn(url);
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    type(doc, 'x'.repeat(700));
    await persistence.setMeta('notes', 'title', 'Notes');
    await persistence.flushDocument('notes');
    type(doc, 'more');
    await persistence.writeState('notes', doc);
    const rows = await postgresql.rowsOf(url);
    expect({ snapshots: rows.snapshots.length, patches: rows.patches.length }).toEqual({ snapshots: 1, patches: 4 });
    const again = new Y.Doc();
    await persistence.bindState('notes', again);
    expect(textOf(again)).toBe(textOf(doc));
    expect(await persistence.getStateVector('notes')).toEqual(Y.encodeStateVector(doc));
    expect(await persistence.getAllDocNames()).toEqual(['notes']);
    expect(await persistence.getMeta('notes', 'title')).toBe('Notes');
    await persistence.clearDocument('notes');
    expect(await persistence.getAllDocNames()).toEqual([]);
    expect(await persistence.getMetas('notes')).toEqual(new Map());
  });

  it('belong to one process: another one is told, and gets them when they are released', async () => {
    const url = await postgresql.freshPlace();
    const here = persistenceOn(url);
    const doc = new Y.Doc();
    await here.bindState('notes', doc);
    type(doc, 'here');
    const other = `
      const persistence = new YjsPersistence(${JSON.stringify(url)}, { Y, busyTimeoutMs: 300, onError: () => {} });
      const doc = new Y.Doc();
      const error = await persistence.bindState('notes', doc).catch((error) => error);
      console.log(error?.code ?? doc.getText('text').toString());
      process.exit(0);`;
    expect(await runEditor(other, '')).toMatchObject({ code: 0, stdout: 'fenced\n' });
    await here.writeState('notes', doc);
    expect(await runEditor(other, '')).toMatchObject({ code: 0, stdout: 'here\n' });
  });

  it('that were read by one call are had by another process soon: its own call waits for them', async () => {
    const url = await postgresql.freshPlace();
    const here = persistenceOn(url);
    await here.storeUpdate('notes', updateOf('here'));
    await here.getAllDocStateVectors();
    const other = `const persistence = new YjsPersistence(file, { Y });
      console.log((await persistence.getYDoc('notes')).getText('text').toString());
      await persistence.destroy();`;
    expect(await runEditor(other, url)).toMatchObject({ code: 0, stdout: 'here\n' });
  });

  it('that another process has open are waited for, and hold up the merges of no other one', async () => {
    const url = await postgresql.freshPlace();
    const { promise: opened, resolve: isOpen } = Promise.withResolvers<() => void>();
    const other = runEditor(
      `
      const persistence = new YjsPersistence(${JSON.stringify(url)}, { Y });
      await persistence.bindState('theirs', new Y.Doc());
      process.on('SIGUSR2', () => persistence.destroy().then(() => process.exit(0)));
      setInterval(() => console.log('open'), 100);`,
      '',
      { onOutput: (_, kill) => isOpen(() => kill('SIGUSR2')) },
    );
    const release = await opened;
    const persistence = persistenceOn(url, { busyTimeoutMs: 60_000 });
    const theirs = persistence.getStateVector('theirs');
    await persistence.storeUpdate('mine', updateOf('x'));
    await persistence.flushDocument('mine');
    expect((await postgresql.rowsOf(url)).patches).toEqual([]);
    release();
    expect(await theirs).toEqual(Y.encodeStateVector(new Y.Doc()));
    expect((await other).code).toBe(0);
  });

  it('that another process has open are waited for by whatever reads them, also if a call was refused just before', async () => {
    const url = await postgresql.freshPlace();
    const { promise: opened, resolve: isOpen } = Promise.withResolvers<() => void>();
    const other = runEditor(
      `
      const persistence = new YjsPersistence(${JSON.stringify(url)}, { Y });
      const doc = new Y.Doc();
      await persistence.bindState('theirs', doc);
      type(doc, 'theirs');
      await persistence.setMeta('theirs', 'title', 'Theirs');
      process.on('SIGUSR2', () => persistence.destroy().then(() => process.exit(0)));
      setInterval(() => console.log('open'), 100);`,
      '',
      { onOutput: (_, kill) => isOpen(() => kill('SIGUSR2')) },
    );
    const release = await opened;
    const persistence = persistenceOn(url, { busyTimeoutMs: 60_000, onError: () => undefined });
    await expect(persistence.storeUpdate('theirs', updateOf('x'))).rejects.toMatchObject({ code: 'fenced' });
    const reads = Promise.allSettled([
      persistence.getYDoc('theirs').then(textOf),
      persistence.getStateVector('theirs').then(({ byteLength }) => byteLength > 1),
      persistence.getMeta('theirs', 'title'),
      persistence.getMetas('theirs').then(({ size }) => size),
    ]);
    await persistence.storeUpdate('mine', updateOf('x'));
    // what was used as long ago is released by then
    const sql = "SELECT FROM sds_claims WHERE store_id = 'mine'";
    await expect.poll(() => postgresqlServer.query(sql, [], databaseOf(url))).toEqual([]);
    release();
    expect((await reads).map((read) => (read.status === 'fulfilled' ? read.value : read.reason))).toEqual([
      'theirs',
      true,
      'Theirs',
      1,
    ]);
    expect((await other).code).toBe(0);
  });

  it.each([
    ['has released it by then: it is stored', true],
    ['still has it: the rejection says so', false],
  ])('typed into while another process had the document open, which at the end %s', async (_, releases) => {
    const url = await postgresql.freshPlace();
    const { promise: opened, resolve: isOpen } = Promise.withResolvers<() => void>();
    const { promise: released, resolve: isReleased } = Promise.withResolvers<void>();
    const other = runEditor(
      `
      const persistence = new YjsPersistence(${JSON.stringify(url)}, { Y });
      await persistence.bindState('notes', new Y.Doc());
      process.on('SIGUSR2', () => persistence.destroy().then(() => console.log('released')).then(process.exit));
      setInterval(() => console.log('open'), 100);`,
      '',
      {
        onOutput: (output, kill) => {
          isOpen(() => kill('SIGUSR2'));
          if (output.includes('released')) isReleased();
        },
      },
    );
    const release = await opened;
    const persistence = persistenceOn(url, { busyTimeoutMs: 300, onError: () => undefined });
    const doc = new Y.Doc();
    await expect(persistence.bindState('notes', doc)).rejects.toMatchObject({ code: 'fenced' });
    type(doc, 'typed');
    if (releases) {
      release();
      await released; // within the pause before the next attempt
      await persistence.destroy();
    } else {
      await expect(persistence.destroy()).rejects.toMatchObject({ code: 'fenced' });
      release();
    }
    await other;
    expect(textOf(await persistenceOn(url).getYDoc('notes'))).toBe(releases ? 'typed' : '');
  });

  it.each([
    ['stores updates of', "storeUpdate('notes', new Uint8Array([0, 0]))"],
    ['sets metas of', "setMeta('notes', 'title', 'Notes')"],
    ['asks for metas of', "getMeta('notes', 'title')"],
    ['deletes', "clearDocument('notes')"],
  ])('that a process has lost while it stood still, and only %s, are had again once they are free', async (_, call) => {
    const url = await postgresql.freshPlace();
    const { promise: stopped, resolve: isStopped } = Promise.withResolvers<() => void>();
    const { promise: fenced, resolve: isFenced } = Promise.withResolvers<void>();
    const other = runEditor(
      `
      const persistence = new YjsPersistence(${JSON.stringify(url)}, { Y, leaseMs: 1000, busyTimeoutMs: 100, onError: () => {} });
      const call = () => persistence.${call}.then(() => 'done', ({ code }) => code);
      for (const wanted of ['done', 'fenced', 'done']) {
        while ((await call()) !== wanted) await new Promise((resolve) => setTimeout(resolve, 50));
        console.log(wanted);
      }
      process.exit(0);`,
      '',
      {
        onOutput: (output, kill) => {
          if (output === 'done\n') kill('SIGSTOP');
          isStopped(() => kill('SIGCONT'));
          if (output.includes('fenced')) isFenced();
        },
      },
    );
    const goOn = await stopped;
    const persistence = persistenceOn(url, { busyTimeoutMs: 60_000 });
    await persistence.bindState('notes', new Y.Doc()); // once the lease has run out; had until `destroy()`
    goOn();
    await fenced;
    await persistence.destroy();
    expect(await other).toMatchObject({ code: 0, stdout: 'done\nfenced\ndone\n' });
  });

  it("are written and merged by several at once with ownership: 'shared', and nothing of any is lost", async () => {
    const url = await postgresql.freshPlace();
    const writer = (name: string) => `
      const persistence = new YjsPersistence(${JSON.stringify(url)}, { Y, ownership: 'shared' });
      const doc = new Y.Doc();
      await persistence.bindState('notes', doc);
      const mine = doc.getArray('${name}');
      for (let round = 0; round < 30; round++) {
        const merged = persistence.flushDocument('notes');
        for (let count = Math.random() * 20; count >= 0; count--) mine.push([mine.length]);
        await merged;
      }
      console.log(mine.length);
      await persistence.destroy();`;
    const names = ['one', 'two'];
    const ended = await Promise.all(names.map((name) => runEditor(writer(name), '')));
    for (const { code, stderr } of ended) expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const doc = await persistenceOn(url, { ownership: 'shared' }).getYDoc('notes');
    for (const [index, name] of names.entries()) {
      const length = Number(ended[index]?.stdout);
      expect(length).toBeGreaterThan(30);
      expect(doc.getArray(name).toArray()).toEqual(Array.from({ length }, (_, at) => at));
    }
  });

  it.each(['a change', 'a deletion'])(
    'a server that is away at the end, behind %s: destroy() waits for it once, not for each attempt anew, and rejects',
    async (behind) => {
      const [{ proxy, url }, other] = [await proxiedPlace(), await proxiedPlace()];
      const retryForMs = 4000; // by so much, too, this thread may hear of the one before it hears of the other
      const persistence = persistenceOn(url, { retryForMs, onError: () => undefined });
      const docs = ['notes', 'plans'].map((name) => ({ name, doc: new Y.Doc() }));
      for (const { name, doc } of docs) await persistence.bindState(name, doc);
      const twiceAsPatient = persistenceOn(other.url, { retryForMs: 2 * retryForMs, onError: () => undefined });
      await twiceAsPatient.ready();
      for (const one of [proxy, other.proxy]) {
        one.refuse();
        one.cutNow();
      }
      const outcomes: string[] = [];
      const noted = async (what: string, promise: Promise<unknown>) => {
        await expect(promise).rejects.toMatchObject({ code: 'connection-failed' });
        outcomes.push(what);
      };
      const deleted = docs.map(({ name, doc }) =>
        behind === 'a change' ? type(doc, 'not stored') : noted('a deletion', persistence.clearDocument(name)),
      );
      await Promise.all([
        ...deleted,
        noted('another call that may wait for twice as long', twiceAsPatient.storeUpdate('notes', updateOf('x'))),
        noted('destroy()', persistence.destroy()),
      ]);
      expect(outcomes.slice(-2)).toEqual(['destroy()', 'another call that may wait for twice as long']);
      for (const { name, doc } of docs) await persistence.writeState(name, doc); // it is told already
    },
  );

  const editings = [
    'stays open',
    'stays open, while metas of it are asked for',
    'stays open, as does one of its name in another persistence, which nobody types into',
    'is left, and bound again by the next client',
  ] as const;
  it.each(editings)(
    'a document that another process took over while this one was cut off, and that %s: once it is free again it has what both wrote',
    async (whatFollows) => {
      const { proxy, url, database } = await proxiedPlace();
      const told: string[] = [];
      const persistence = persistenceOn(url, {
        leaseMs: 1000,
        busyTimeoutMs: 1000,
        onError: ({ code }, name) => told.push(`${name} ${code}`),
      });
      const doc = new Y.Doc();
      await persistence.bindState('notes', doc);
      type(doc, 'one ');
      await persistence.getAllDocNames(); // what was called before is stored
      const twin = new Y.Doc();
      const hasTwin = whatFollows.includes('in another persistence');
      if (hasTwin) await persistenceOn(url, { leaseMs: 1000 }).bindState('notes', twin);
      proxy.refuse();
      proxy.cutNow();
      await otherTypes(database, 'two ');
      proxy.accept();
      type(doc, 'three ');
      await expect.poll(() => told).toContain('notes fenced');
      let current = doc;
      let asksForMetas = whatFollows.endsWith('metas of it are asked for');
      const ask = () => persistence.getMeta('notes', 'title').catch(({ code }) => code);
      const asking = (async () => {
        while (asksForMetas && (await ask()) !== 'closed'); // as they are between two providers, and at the end
      })();
      if (!whatFollows.startsWith('stays open')) {
        const left = persistence.writeState('notes', doc);
        current = new Y.Doc();
        await persistence.bindState('notes', current).catch(() => undefined); // it is loaded later
        await left;
      }
      const sorted = (text: string) => [...text].sort().join('');
      await expect.poll(() => sorted(textOf(current))).toBe(sorted('one two three '));
      if (hasTwin) await expect.poll(() => textOf(twin)).toContain('two ');
      asksForMetas = false;
      await asking;
      await persistence.writeState('notes', current);
      expect(textOf(await persistence.getYDoc('notes'))).toBe(textOf(current));
    },
  );

  it('a document that was lost and is free again, of which nobody has heard: what is typed into it as all is closed is stored', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const persistence = persistenceOn(url, { onError: () => undefined });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    await persistence.getYDoc('notes'); // by another provider, which is kept
    // as if another process had taken it over, and given it back
    await postgresqlServer.query('DELETE FROM sds_claims', [], database);
    proxy.cutNow();
    type(doc, 'typed');
    await persistence.destroy();
    expect(textOf(await persistenceOn(url).getYDoc('notes'))).toBe('typed');
  });

  it('a document that was lost while another persistence that has it is being closed: once both are closed nobody has it', async () => {
    const database = databaseOf(await postgresql.freshPlace());
    const query = (text: string) => postgresqlServer.query<{ session: string }>(text, [], database);
    const told: string[] = [];
    const persistence = persistenceOn(postgresqlServer.url(database), { onError: ({ code }) => told.push(code) });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    const [{ session = '' } = {}] = await query('SELECT session FROM sds_holders');
    const byAnother = postgresqlServer.url(database, { parameters: 'sslmode=disable&options=-cwork_mem%3D8MB' });
    const other = persistenceOn(byAnother, { busyTimeoutMs: 60_000 });
    await other.storeUpdate('notes', updateOf('other '));
    // as if another process had taken it over, and given it back
    await query(`DELETE FROM sds_claims WHERE session = '${session}'`);
    await query(`UPDATE sds_holders SET fenced = true WHERE session = '${session}'`);
    type(doc, 't');
    await expect.poll(() => told).toEqual(['fenced']);
    const client = await postgresqlServer.connect(database);
    await client.query('BEGIN; LOCK TABLE sds_patches');
    const read = other.getYDoc('notes');
    await expect.poll(() => postgresqlServer.waitingForLock(database)).not.toEqual([]);
    const closed = [other.destroy(), persistence.destroy()];
    await client.query('COMMIT');
    await client.end();
    await Promise.all([read, ...closed]);
    expect(await query('SELECT store_id FROM sds_claims')).toEqual([]);
  });

  it('a document is merged as its own persistence says (gc: false), whatever is open of the same name in another schema', async () => {
    const [other, own] = await twoSchemas(databaseOf(await ownPlace()), 'other', 'own');
    await persistenceOn(other).bindState('notes', new Y.Doc());
    const doc = new Y.Doc({ gc: false });
    type(doc, 'first');
    const snapshot = Y.snapshot(doc);
    doc.getText('text').delete(0, 5);
    const persistence = persistenceOn(own, { gc: false });
    await persistence.storeUpdate('notes', Y.encodeStateAsUpdate(doc));
    await persistence.flushDocument('notes');
    const restored = await persistence.getYDoc('notes');
    expect(textOf(Y.createDocFromSnapshot(restored, snapshot))).toBe('first');
  });

  /** Changes `doc` by more than there is room for, and then by what counts. */
  const exitWhileRefused = `
    for (let times = 0; times < 20; times++) doc.getText('rest').insert(0, 'x'.repeat(options.maxPendingBytes));
    type(doc, 'typed');
    process.exit();`;

  it('what is refused of a document is stored as the process ends, also if one of its name in another schema was lost', async () => {
    const database = databaseOf(await ownPlace());
    const query = (text: string) => postgresqlServer.query(text, [], database);
    const [lost, kept] = await twoSchemas(database, 'lost', 'kept');
    const { promise: bound, resolve: isBound } = Promise.withResolvers<() => void>();
    const ended = runEditor(
      `
      const options = { Y, maxPendingBytes: 20_000, overflow: 'reject', busyTimeoutMs: 60_000, onError() {} };
      const [lost, kept] = ${JSON.stringify([lost, kept])}.map((url) => new YjsPersistence(url, options));
      const doc = new Y.Doc();
      await Promise.all([lost.bindState('notes', new Y.Doc()), kept.bindState('notes', doc)]);
      process.on('SIGUSR2', async () => {
        await lost.clearDocument('notes').catch(({ code }) => console.log(code));
        ${exitWhileRefused}
      });
      setInterval(() => console.log('bound'), 100);`,
      '',
      { onOutput: (_, kill) => isBound(() => kill('SIGUSR2')) },
    );
    const goOn = await bound;
    // as if another process had taken it over, and given it back
    await query('DELETE FROM lost.sds_claims; UPDATE lost.sds_holders SET fenced = true');
    goOn();
    expect(await ended).toMatchObject({ code: 0, stdout: expect.stringContaining('fenced') });
    expect(textOf(await persistenceOn(kept).getYDoc('notes'))).toBe('typed');
  });

  it('the same, also if one of its name in another schema belongs to another process', async () => {
    const [other, own] = await twoSchemas(databaseOf(await ownPlace()), 'other', 'own');
    await persistenceOn(other).bindState('notes', new Y.Doc());
    const program = `
      const options = { Y, maxPendingBytes: 20_000, overflow: 'reject', busyTimeoutMs: 1000, onError() {} };
      const [other, own] = ${JSON.stringify([other, own])}.map((url) => new YjsPersistence(url, options));
      const doc = new Y.Doc();
      await own.bindState('notes', doc);
      await other.getYDoc('notes').catch(({ code }) => console.log(code));
      ${exitWhileRefused}`;
    expect(await runEditor(program, '')).toMatchObject({ code: 0, stdout: expect.stringContaining('fenced') });
    expect(textOf(await persistenceOn(own).getYDoc('notes'))).toBe('typed');
  });

  it('the same, also if a read fails that has waited for it since before it was had, lost, and had again', async () => {
    const url = await ownPlace();
    const open = `const options = { Y, maxPendingBytes: 20_000, overflow: 'reject', busyTimeoutMs: 60_000, onError() {} };
      const persistence = new YjsPersistence(file, options);
      const doc = new Y.Doc();`;
    const { promise: opened, resolve: isOpen } = Promise.withResolvers<() => void>();
    const other = runEditor(
      `${open}
      await persistence.bindState('notes', doc);
      process.on('SIGUSR2', () => persistence.destroy().then(() => process.exit()));
      setInterval(() => console.log('open'), 100);`,
      url,
      { onOutput: (_, kill) => isOpen(() => kill('SIGUSR2')) },
    );
    const release = await opened;
    const [waits, has] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const ended = runEditor(
      `${open}
      Math.random = () => 60; // 3 s between two attempts to have it
      const store = () => persistence.storeUpdate('notes', new Uint8Array([0, 0])).then(() => 'stored', ({ code }) => code);
      const late = persistence.getYDoc('notes').catch(({ code }) => console.log(code));
      await store();
      console.log('waits');
      while ((await store()) !== 'stored');
      await persistence.bindState('notes', doc);
      console.log('has');
      while ((await store()) !== 'fenced');
      await late;
      ${exitWhileRefused}`,
      url,
      {
        onOutput: (output) => {
          if (output.includes('waits')) waits.resolve();
          if (output.includes('has')) has.resolve();
        },
      },
    );
    await waits.promise;
    release();
    await has.promise;
    const database = databaseOf(url);
    // as if another process had taken it over, and given it back
    await postgresqlServer.query('DELETE FROM sds_claims', [], database);
    await postgresqlServer.killBackends(database);
    expect(await ended).toMatchObject({ code: 0, stdout: expect.stringContaining('fenced') });
    expect((await other).code).toBe(0);
    expect(textOf(await persistenceOn(url).getYDoc('notes'))).toBe('typed');
  });

  it('a document that was lost, and is not had again by the end of the process: stderr says so', async () => {
    const url = await ownPlace();
    const { promise: bound, resolve: isBound } = Promise.withResolvers<() => void>();
    const ended = runEditor(
      `
      const onError = ({ code }) => {
        console.log(code);
        setImmediate(() => process.exit(0)); // in a later turn than that of the call
      };
      const persistence = new YjsPersistence(file, { Y, busyTimeoutMs: 60_000, onError });
      const doc = new Y.Doc();
      await persistence.bindState('notes', doc);
      process.on('SIGUSR2', () => doc.getText('text').insert(0, 'typed'));
      setInterval(() => console.log('bound'), 100);`,
      url,
      { onOutput: (output, kill) => output.includes('bound') && isBound(() => kill('SIGUSR2')) },
    );
    const goOn = await bound;
    // as if another process had taken it over
    await postgresqlServer.query('DELETE FROM sds_claims; UPDATE sds_holders SET fenced = true', [], databaseOf(url));
    goOn();
    expect(await ended).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\nfenced\n$/),
      stderr: expect.stringMatching(
        /^.* an update of document "notes" in '[^']*' may not be stored as the process ends\n$/,
      ),
    });
  });

  it('a document that was lost, and is open, but only read by its name: it is had again once it is free', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const persistence = persistenceOn(url, { leaseMs: 1000, busyTimeoutMs: 1000 });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    proxy.refuse();
    proxy.cutNow();
    await otherTypes(database, 'theirs');
    proxy.accept();
    const read = () => persistence.getYDoc('notes').then(textOf, ({ code }) => code);
    expect(await read()).toBe('fenced');
    await expect.poll(read).toBe('theirs');
    await expect.poll(() => textOf(doc)).toBe('theirs');
  });

  it('what can not be merged stays, and keeps nothing else out', async () => {
    const persistence = persistenceOn(await postgresql.freshPlace(), { onError: () => undefined });
    await persistence.storeUpdate('notes', updateOf('good'));
    await persistence.storeUpdate('notes', rubbish());
    await expect(persistence.flushDocument('notes')).rejects.toMatchObject({ code: 'database-corrupt' });
    expect(textOf(await persistence.getYDoc('notes'))).toBe('good');
  });
});
