/** What goes wrong around a Hocuspocus server costs nothing of what people typed, and shows nobody an empty document. */
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as immediate } from 'node:timers/promises';
import { HocuspocusProvider } from '@hocuspocus/provider';
import { type Extension, Server } from '@hocuspocus/server';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { HocuspocusPersistence } from 'sds-persistence-worker/hocuspocus';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import * as Y from 'yjs';
import { livingWorkers } from '../../torture/living-workers.ts';
import { freshFile, rowsOf } from '../support/files.ts';
import { describeOnPostgresql, server as postgresqlServer, proxiedPlace } from '../support/postgresql.ts';
import { canMount, fill, smallDisk } from '../support/small-disk.ts';
import { pausesWithoutEnd, persistenceOn, runEditor, storeUnmerged, textOf, updatesOf } from './documents.ts';
import { connect, serve, storedText, unloaded } from './hocuspocus-server.ts';

let said: string[] = [];

/** Hocuspocus says there what its hooks reject with. */
beforeEach(() => {
  said = [];
  const spy = vi
    .spyOn(console, 'error')
    .mockImplementation((...values) => void said.push(values.map(String).join(' ')));
  return () => spy.mockRestore();
});

const threads = (isMerging: boolean) =>
  [...livingWorkers].filter(
    (worker) => ((worker as { threadName?: string }).threadName === 'sds-merging') === isMerging,
  );

/** An update that inserts a text into a document of its own. */
function updateOf(text: string): Uint8Array {
  const doc = new Y.Doc();
  doc.getText('text').insert(0, text);
  return Y.encodeStateAsUpdate(doc);
}

describe.skipIf(!canMount)('a full disk', () => {
  it('the document stays in memory, and is stored and unloaded once there is room', async () => {
    const disk = smallDisk();
    const file = join(disk, 'documents.db');
    const errors: string[] = [];
    const served = await serve(file, { onError: ({ code }, name) => errors.push(`${name} ${code}`) });
    const client = await connect(served.url);
    client.type('before');
    await client.heard();
    const rest = fill(disk);
    client.type('x'.repeat(300)); // more than there is room for in the log
    await client.heard();
    await expect.poll(() => said.join()).toMatch(/onStoreDocument.*is full.*make room/s);
    client.leave();
    const { hocuspocus } = served.server;
    const [debounceId, { debouncer }] = ['onStoreDocument-notes', hocuspocus];
    const state = () => ({
      said: said.join(),
      connections: hocuspocus.getConnectionsCount(),
      isStoring: debouncer.isDebounced(debounceId) || debouncer.isCurrentlyExecuting(debounceId),
    });
    const expected = { said: expect.stringMatching(/stays in memory/), connections: 0, isStoring: false };
    await expect.poll(state).toEqual(expected);
    expect(hocuspocus.getDocumentsCount()).toBe(1); // and Hocuspocus does nothing more about it
    expect(errors).toEqual(['notes database-full']);
    rmSync(rest);
    await unloaded(served);
    await served.server.destroy();
    expect(await storedText(file)).toBe(`before${'x'.repeat(300)}`);
  });
});

describe.skipIf(!canMount)('a full disk, of which the server hears when it unloads a document', () => {
  it('what is changed by people who come meanwhile is told as stored once there is room', async () => {
    const disk = smallDisk();
    const stored: string[] = [];
    const afterStoreDocument = async ({ document }: { document: Y.Doc }) =>
      void stored.push(document.getText('text').toString());
    const { server } = await serve(join(disk, 'documents.db'), {
      others: [{ afterStoreDocument }],
      onError: () => undefined,
    });
    const first = await server.hocuspocus.openDirectConnection('notes');
    const rest = fill(disk);
    const [, waiting] = updatesOf(['a', 'x'.repeat(300_000)]) as [Uint8Array, Uint8Array]; // more than there is room for
    Y.applyUpdate(first.document as Y.Doc, waiting); // which is stored when the document is unloaded
    await first.disconnect();
    const next = await server.hocuspocus.openDirectConnection('notes');
    await next.transact((document) => document.getText('text').insert(0, 'y'.repeat(300_000)));
    await expect.poll(() => said.join()).toMatch(/onStoreDocument.*is full/s);
    rmSync(rest);
    await expect.poll(() => stored.map((text) => text.length)).toEqual([0, 300_000]);
    await next.disconnect();
  });
});

describe.skipIf(!canMount)('a disk that was full', () => {
  it('server.destroy() does not wait for the next of the attempts to store a document that was left meanwhile', async () => {
    pausesWithoutEnd(1000);
    const disk = smallDisk();
    const file = join(disk, 'documents.db');
    const served = await serve(file, { onError: () => undefined });
    const client = await connect(served.url);
    client.type('before ');
    await client.heard();
    const rest = fill(disk);
    client.type('x'.repeat(300));
    await client.heard();
    await expect.poll(() => said.join()).toMatch(/onStoreDocument.*is full.*make room/s);
    client.leave();
    await expect.poll(() => served.server.hocuspocus.getConnectionsCount()).toBe(0);
    rmSync(rest);
    await served.server.destroy();
    expect(await storedText(file)).toBe(`before ${'x'.repeat(300)}`);
  });

  it('a document that is deleted while it is released, with what could not be stored before, stays deleted', async () => {
    const disk = smallDisk();
    const errors: string[] = [];
    const served = await serve(join(disk, 'documents.db'), { onError: ({ code }) => errors.push(code) });
    const { document } = await served.server.hocuspocus.openDirectConnection('notes');
    const rest = fill(disk);
    document?.getText('text').insert(0, 'x'.repeat(300_000)); // more than there is room for in the log
    await expect.poll(() => errors).toEqual(['database-full']);
    rmSync(rest);
    document?.destroy();
    await served.persistence.delete('notes');
    await served.persistence.afterUnloadDocument({ documentName: 'notes' });
    expect(await served.persistence.names()).toEqual([]);
  });
});

it('a worker thread that is lost in mid-typing: nothing is lost', async () => {
  const file = freshFile();
  const served = await serve(file);
  const client = await connect(served.url);
  for (let round = 0; round < 5; round++) {
    client.type('0123456789'.repeat(10));
    await Promise.all(threads(false).map((worker) => worker.terminate()));
  }
  await client.heard();
  client.leave();
  await unloaded(served);
  await served.server.destroy();
  expect(await storedText(file)).toBe('0123456789'.repeat(50));
});

it('a merging thread that is lost: the document stays whole, and is merged the next time', async () => {
  const file = freshFile();
  const errors: string[] = [];
  const served = await serve(file, { onError: ({ code }, name) => errors.push(`${name} ${code}`) });
  const direct = await served.server.hocuspocus.openDirectConnection('notes');
  let typed = 0;
  const type = async () => {
    await direct.transact((document) => document.getText('text').insert(0, 'x'));
    typed++;
    await immediate();
  };
  while (errors.length === 0) {
    await type();
    for (const worker of threads(true)) await worker.terminate();
  }
  expect(new Set(errors)).toEqual(new Set(['notes worker-lost']));
  while (rowsOf(file).snapshots.length === 0) for (let i = 0; i < 250; i++) await type();
  await direct.disconnect();
  await served.server.destroy();
  expect(await storedText(file)).toBe('x'.repeat(typed));
});

it('a client that sends rubbish changes nothing of what is stored', async () => {
  const file = freshFile();
  const served = await serve(file);
  const client = await connect(served.url);
  client.type('good');
  await client.heard();
  const name = [5, ...new TextEncoder().encode('notes')];
  const auth = [...name, 2, 0, 1, 120];
  for (const bytes of [
    [9],
    [...name, 0, 2, 4, 255, 255, 255, 255],
    [...name, 0, 2, 3, 1, 255, 7],
    [...name, 4, 1, 1, 0],
  ]) {
    const socket = new WebSocket(served.url);
    await once(socket, 'open');
    socket.send(new Uint8Array(auth));
    socket.send(new Uint8Array(bytes));
    setTimeout(() => socket.close(), 100); // if the server does not
    await once(socket, 'close');
  }
  client.type(' and on');
  await client.heard();
  client.leave();
  await unloaded(served);
  await served.server.destroy();
  expect(await storedText(file)).toBe('good and on');
});

it('a stored update that can not be applied: the document is not opened, which is told by its name and file, and all of it stays as it is', async () => {
  const file = freshFile();
  const provider = new SDS_DesktopPersistenceProvider(file, 'notes');
  await provider.appendPatch(updateOf('good'), 1);
  await provider.appendPatch(new Uint8Array(64).fill(255), 2);
  await provider.close();
  const before = rowsOf(file);
  const served = await serve(file);
  await expect(served.server.hocuspocus.openDirectConnection('notes')).rejects.toMatchObject({
    code: 'database-corrupt',
    message: expect.stringContaining(`"notes" in '${file}'`),
  });
  expect(served.server.hocuspocus.getDocumentsCount()).toBe(0);
  await served.server.destroy();
  expect(rowsOf(file)).toEqual(before);
});

it('a database that can not be opened: listen rejects, and the end of the server closes its port', async () => {
  const database = join(freshFile(), 'missing', 'documents.db');
  const extensions = [new HocuspocusPersistence({ database })];
  const server = new Server({ port: 0, address: '127.0.0.1', quiet: true, stopOnSignals: false, extensions });
  await expect(server.listen()).rejects.toMatchObject({ code: 'open-failed' });
  await server.destroy();
  expect(server.httpServer.listening).toBe(false);
});

it('another extension that fails to load a document: it is loaded anew the next time, and what is typed then is stored', async () => {
  const file = freshFile();
  let fails = true;
  const onLoadDocument = async () => {
    if (fails) throw new Error('on purpose');
  };
  const served = await serve(file, { others: [{ onLoadDocument }] });
  const { hocuspocus } = served.server;
  await expect(hocuspocus.openDirectConnection('notes')).rejects.toThrow('on purpose');
  fails = false;
  const direct = await hocuspocus.openDirectConnection('notes');
  await direct.transact((document) => document.getText('text').insert(0, 'typed'));
  await direct.disconnect();
  await served.server.destroy();
  expect(await storedText(file)).toBe('typed');
});

it('what an extension before this one puts into a document is stored with it', async () => {
  const file = freshFile();
  const onLoadDocument = async ({ document }: { document: Y.Doc }) => document.getText('text').insert(0, 'given');
  const served = await serve(file, { others: [{ priority: 2000, onLoadDocument }] });
  await (await served.server.hocuspocus.openDirectConnection('notes')).disconnect();
  await served.server.destroy();
  expect(await storedText(file)).toBe('given');
});

it('an update that waits for another one when the document is unloaded is not forgotten', async () => {
  const file = freshFile();
  const served = await serve(file);
  const updates = updatesOf(['first ', 'second']);
  for (const update of updates.reverse()) {
    const direct = await served.server.hocuspocus.openDirectConnection('notes');
    Y.applyUpdate(direct.document as Y.Doc, update);
    await direct.disconnect();
    await unloaded(served);
  }
  await served.server.destroy();
  expect(await storedText(file)).toBe('first second');
});

it('a document that is deleted while it is open: once it is changed, all of it is stored again', async () => {
  const file = freshFile();
  const served = await serve(file);
  const client = await connect(served.url);
  client.type('all of it');
  await client.heard();
  await served.persistence.delete('notes');
  expect(await served.persistence.names()).toEqual([]);
  client.type('!');
  await client.heard();
  client.leave();
  await unloaded(served);
  expect(await storedText(file)).toBe('all of it!');
  await served.persistence.delete('notes');
  await served.server.destroy();
  expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: [] });
});

it('a document that is deleted while an update of it waits for another one stays deleted', async () => {
  const file = freshFile();
  const served = await serve(file);
  const updates = updatesOf(['first ', 'second']);
  const direct = await served.server.hocuspocus.openDirectConnection('notes');
  Y.applyUpdate(direct.document as Y.Doc, updates[1] as Uint8Array);
  await served.persistence.delete('notes');
  await direct.disconnect();
  await unloaded(served);
  await served.server.destroy();
  expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: [] });
});

describe('a server that is destroyed while a document is being loaded', () => {
  /** Whose client types before it is loaded. */
  function typing(url: string, token?: string): HocuspocusProvider {
    const provider = new HocuspocusProvider({ url, name: 'notes', document: new Y.Doc(), token: token ?? null });
    onTestFinished(() => provider.destroy());
    provider.document.getText('text').insert(0, 'typed');
    return provider;
  }

  /** With a document that is being loaded until `goOn`, for a client that has typed. */
  async function loading(file: string, other: Extension = {}) {
    const { promise: goesOn, resolve: goOn } = Promise.withResolvers<void>();
    const { server, url } = await serve(file, { others: [{ ...other, onLoadDocument: () => goesOn }] });
    typing(url);
    await expect.poll(() => server.hocuspocus.loadingDocuments.size).toBe(1);
    return { server, url, goOn };
  }

  it('waits for it: what its client has typed is stored', async () => {
    const file = freshFile();
    const { server, goOn } = await loading(file);
    await immediate(); // what is stored is loaded
    const destroyed = server.destroy();
    await immediate();
    goOn();
    await destroyed;
    expect(await storedText(file)).toBe('typed');
  });

  it('a client that comes while those before it leave is sent away as well, and the server ends', async () => {
    const file = freshFile();
    const { promise: leaves, resolve: isLeaving } = Promise.withResolvers<void>();
    const { promise: came, resolve: hasCome } = Promise.withResolvers<void>();
    const tokens: string[] = [];
    const gates: Extension = {
      async onAuthenticate({ token, context }) {
        tokens.push(token);
        if (token === 'late') await leaves;
        return { ...context, token };
      },
      async connected({ context }) {
        if (context.token === 'late') hasCome();
      },
      async onDisconnect() {
        isLeaving();
        await came;
      },
    };
    const { server, url, goOn } = await loading(file, gates);
    typing(url, 'late');
    await expect.poll(() => tokens).toContain('late');
    const destroyed = server.destroy();
    await immediate();
    goOn();
    await destroyed;
    expect(await storedText(file)).toContain('typed');
  });

  it('and whose extension a program destroys: the document is refused, so that no change of it is taken for stored', async () => {
    const file = freshFile();
    const typed = 'x'.repeat(600);
    await storeUnmerged(file, updatesOf(typed)); // so many are merged first
    const { server, persistence } = await serve(file);
    const other = await server.hocuspocus.openDirectConnection('other');
    const opened = server.hocuspocus.openDirectConnection('notes').catch(({ code }) => code);
    await immediate();
    await persistence.destroy();
    expect(await opened).toBe('closed');
    await other.disconnect();
    expect(await storedText(file)).toBe(typed);
  });
});

describe('an extension that is destroyed before its server', () => {
  it('a document that was not changed after that is unloaded as ever', async () => {
    const served = await serve(freshFile());
    const client = await connect(served.url);
    client.type('before');
    await client.heard();
    await served.persistence.destroy();
    client.leave();
    await unloaded(served);
    await served.server.destroy();
    expect(said).toEqual([]);
  });

  it('an update that waits for another one is not forgotten', async () => {
    const file = freshFile();
    const updates = updatesOf(['first ', 'second']);
    const served = await serve(file);
    const direct = await served.server.hocuspocus.openDirectConnection('notes');
    Y.applyUpdate(direct.document as Y.Doc, updates[1] as Uint8Array);
    await served.persistence.destroy();
    await direct.disconnect();
    await unloaded(served);
    await served.server.destroy();
    await storeUnmerged(file, [updates[0] as Uint8Array]);
    expect(await storedText(file)).toBe('first second');
  });

  it('one that was changed is not taken for stored: the hook rejects and says so, its people are sent away, and the server ends', async () => {
    const file = freshFile();
    const errors: string[] = [];
    const stored: string[] = [];
    const others = [{ afterStoreDocument: async () => void stored.push('stored') }];
    const served = await serve(file, { others, onError: ({ code }, name) => errors.push(`${name} ${code}`) });
    const client = await connect(served.url);
    client.type('before');
    await client.heard();
    const [debounceId, { debouncer }] = ['onStoreDocument-notes', served.server.hocuspocus];
    const isStoring = () => debouncer.isDebounced(debounceId) || debouncer.isCurrentlyExecuting(debounceId);
    await expect.poll(() => [stored.length > 0, isStoring()]).toEqual([true, false]); // once, or in pieces as they came
    const before = stored.length;
    const closed = new Promise((resolve) => client.provider.on('close', resolve));
    await served.persistence.destroy();
    client.type(' and after');
    await closed;
    expect(said.join()).toMatch(/onStoreDocument.*was destroyed before; server\.destroy\(\)/s);
    expect(errors).toEqual(['notes closed']);
    expect(stored).toHaveLength(before);
    await unloaded(served);
    await served.server.destroy();
    expect(await storedText(file)).toBe('before');
  });
});

it('a thousand documents, opened and closed: neither threads nor documents stay', async () => {
  const file = freshFile();
  const served = await serve(file);
  const { hocuspocus } = served.server;
  const documents: WeakRef<object>[] = [];
  const open = async (name: string) => {
    const direct = await hocuspocus.openDirectConnection(name);
    documents.push(new WeakRef(direct.document as object));
    await direct.transact((document) => document.getText('text').insert(0, name));
    await direct.disconnect();
  };
  const most = threads(false).length;
  for (let batch = 0; batch < 20; batch++) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => open(`document ${batch * 50 + i}`)));
  }
  await unloaded(served);
  expect(threads(false).length).toBeLessThanOrEqual(Math.max(most, 2));
  expect(await served.persistence.names()).toHaveLength(1000);
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  setFlagsFromString('--expose-gc');
  const collect = process.getBuiltinModule('node:vm').runInNewContext('gc') as () => void;
  const inMemory = () => {
    collect();
    return documents.filter((document) => document.deref() !== undefined).length;
  };
  await expect.poll(inMemory, { interval: 100 }).toBeLessThan(50);
  await served.server.destroy();
  expect(await storedText(file, 'document 999')).toBe('document 999');
});

describeOnPostgresql('PostgreSQL', () => {
  it('a server that is away for a while: what is typed meanwhile is stored once it is back', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const served = await serve(url);
    const client = await connect(served.url);
    client.type('before ');
    await client.heard();
    proxy.refuse();
    proxy.cutNow();
    client.type('meanwhile ');
    await client.heard();
    client.leave();
    proxy.accept();
    await unloaded(served);
    await served.server.destroy();
    expect(await storedText(postgresqlServer.url(database))).toBe('before meanwhile ');
  });

  it('a server that was away, and a document that was taken over and spoilt meanwhile: what was typed is stored, and the document unloaded', async () => {
    const { proxy, url, database } = await proxiedPlace();
    const told: string[] = [];
    const onError = ({ code }: { code: string }) => void told.push(code);
    const served = await serve(url, { busyTimeoutMs: 500, retryForMs: 500, onError });
    const client = await connect(served.url);
    client.type('before ');
    await client.heard();
    await served.persistence.names(); // what was called before is stored
    proxy.refuse();
    proxy.cutNow();
    client.type('meanwhile ');
    await client.heard();
    client.leave();
    await expect.poll(() => said).toContainEqual(expect.stringContaining('longer than RetryForMs')); // storing it
    const direct = postgresqlServer.url(database);
    const other = `const persistence = new YjsPersistence(file, { Y, leaseMs: 1000, busyTimeoutMs: 20_000 });
    await persistence.getStateVector('notes'); // once the lease has run out
    await persistence.storeUpdate('notes', new Uint8Array(64).fill(255));
    await persistence.destroy();`;
    expect(await runEditor(other, direct)).toMatchObject({ code: 0, stderr: '' });
    proxy.accept();
    await unloaded(served);
    await served.server.destroy();
    expect(told).toEqual(['connection-failed', 'database-corrupt']);
    const persistence = persistenceOn(direct, { onError: () => undefined });
    expect(textOf(await persistence.getYDoc('notes'))).toBe('before meanwhile ');
  });
});

it.each([
  [
    'this one',
    (file: string) => new SDS_DesktopPersistenceProvider(file, 'notes').appendPatch(new Uint8Array(64).fill(255), 1),
    [],
  ],
  ['another one', async () => undefined, [{ onLoadDocument: () => Promise.reject(new Error('on purpose')) }]],
  [
    'another one, after the loading',
    async () => undefined,
    [{ afterLoadDocument: () => Promise.reject(new Error('on purpose')) }],
  ],
])(
  'a document that can not be loaded since %s fails: nothing of it stays in the server',
  async (_, prepare, others) => {
    const file = freshFile();
    await prepare(file);
    const documents: { isDestroyed: boolean }[] = [];
    const watching = {
      priority: 2000,
      onLoadDocument: async (payload: { document: { isDestroyed: boolean } }) => void documents.push(payload.document),
    };
    const { server } = await serve(file, { others: [watching, ...others] });
    for (let round = 0; round < 3; round++)
      await expect(server.hocuspocus.openDirectConnection('notes')).rejects.toThrow();
    await expect.poll(() => documents.map(({ isDestroyed }) => isDestroyed)).toEqual([true, true, true]);
  },
);
