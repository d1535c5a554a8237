/** What callers do that nobody expects: nothing is lost by it, nothing hangs, and each is told what is wrong. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as immediate } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider, SDS_PersistenceError } from 'sds-persistence-worker';
import { AutomergeRepoStorage } from 'sds-persistence-worker/automerge-repo';
import { HocuspocusPersistence, importDocuments } from 'sds-persistence-worker/hocuspocus';
import { MergedDocuments } from 'sds-persistence-worker/merged-documents';
import { YjsPersistence } from 'sds-persistence-worker/yjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import * as Y from 'yjs';
import { filesBeside, freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { persistenceOn, runEditor, storedText, textOf, type, updateOf, updatesOf } from './documents.ts';
import { connect, serve } from './hocuspocus-server.ts';

const invalid = (message: RegExp) => ({ code: 'invalid-argument', message: expect.stringMatching(message) });

/** Until what is returned is called. */
function nothingIsStoredIn(file: string): () => void {
  const other = new DatabaseSync(file);
  onTestFinished(() => other.close());
  const rule = "BEFORE INSERT ON patches BEGIN SELECT RAISE(ABORT, 'on purpose'); END";
  other.exec(`PRAGMA busy_timeout = 30000; CREATE TRIGGER rule ${rule}`);
  return () => other.exec('DROP TRIGGER rule');
}

function detached(): Uint8Array {
  const bytes = new Uint8Array([0, 0]);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

function persistenceOfHocuspocus(): HocuspocusPersistence {
  const persistence = new HocuspocusPersistence({ database: freshFile(), Y });
  onTestFinished(() => persistence.destroy());
  return persistence;
}

/** A bound document whose one update was rejected, since the folder of its file is not there yet. */
async function withARejectedUpdate() {
  const folder = join(freshFolder(), 'later');
  const file = join(folder, 'documents.db');
  const errors: string[] = [];
  const persistence = persistenceOn(file, { onError: ({ code }) => errors.push(code) });
  const doc = new Y.Doc();
  const bound = persistence.bindState('notes', doc);
  type(doc, 'x');
  await expect(bound).rejects.toMatchObject({ code: 'open-failed' });
  await expect.poll(() => errors).toHaveLength(2);
  return { persistence, doc, folder, file };
}

function listen(channel: string, listener: () => void): void {
  subscribe(`tracing:sds-persistence:${channel}`, listener);
  onTestFinished(() => void unsubscribe(`tracing:sds-persistence:${channel}`, listener));
}

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe('the database', () => {
  for (const [kind, name] of [
    ['a relative path', './documents.db'],
    ['a relative URL', 'file:docu%6dents.db?psow=1'],
  ] as const) {
    it(`${kind}: the working directory changes, and all documents go on in the same file`, async () => {
      const folder = freshFolder();
      const text = `
const { mkdirSync, existsSync } = await import('node:fs');
process.chdir(${JSON.stringify(folder)});
const persistence = new YjsPersistence(${JSON.stringify(name)}, { Y });
mkdirSync('elsewhere');
process.chdir('elsewhere');
const doc = new Y.Doc();
await persistence.bindState('notes', doc);
type(doc, 'here');
console.log(await persistence.getAllDocNames(), existsSync('documents.db'));
await persistence.destroy();`;
      expect((await runEditor(text, '')).stdout).toContain("[ 'notes' ] false");
      expect(await storedText(join(folder, 'documents.db'))).toBe('here');
    });
  }

  for (const name of [':memory:', '', 'file::memory:', 'file:x?mode=memory']) {
    it(`${JSON.stringify(name)}, of which each document would have one for itself, is refused`, () => {
      const refused = invalid(/for one provider alone.*cache=shared/);
      expect(() => new YjsPersistence(name, { Y })).toThrow(expect.objectContaining(refused));
      expect(() => new HocuspocusPersistence({ database: name, Y })).toThrow(expect.objectContaining(refused));
    });
  }

  it('that can not be opened: ready says so before a server serves it, and resolves once it can be', async () => {
    const folder = join(freshFolder(), 'later');
    const persistence = persistenceOn(join(folder, 'documents.db'));
    await expect(persistence.ready()).rejects.toMatchObject({ code: 'open-failed' });
    mkdirSync(folder);
    await persistence.ready();
  });

  it('in memory, shared by its name: a document that was released is there again', async () => {
    const persistence = persistenceOn('file:documents-of-a-test?mode=memory&cache=shared');
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    type(doc, 'here');
    await persistence.writeState('notes', doc);
    expect(textOf(await persistence.getYDoc('notes'))).toBe('here');
  });
});

describe('limits of the merging thread', () => {
  for (const [name, value] of [
    ['maxOldGenerationSizeMb', 2],
    ['maxOldGenerationSizeMb', -1],
    ['maxOldGenerationSizeMb', Number.NaN],
    ['stackSizeMb', 0.1],
    ['maxYoungGenerationSizeMb', '8'],
    ['maxHeapSizeMb', 512],
  ] as const) {
    it(`${name} ${JSON.stringify(value)}, by which a thread would end the process or have no limit, is refused`, () => {
      const persist = () => new YjsPersistence(freshFile(), { Y, resourceLimits: { [name]: value } });
      expect(persist).toThrow(expect.objectContaining(invalid(new RegExp(`resourceLimits.*${name}`))));
    });
  }

  it.each([null, 512])('that are %s are refused', (resourceLimits) => {
    const persist = () => new YjsPersistence(freshFile(), { Y, resourceLimits: resourceLimits as never });
    expect(persist).toThrow(expect.objectContaining(invalid(/resourceLimits must be an object/)));
  });

  it('that are the least are enough for a thread', async () => {
    const file = freshFile();
    const least = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1, codeRangeSizeMb: 0, stackSizeMb: 1 };
    const persistence = persistenceOn(file, { resourceLimits: least });
    for (const text of ['a', 'b']) await persistence.storeUpdate('notes', updateOf(text));
    await persistence.flushDocument('notes');
    await persistence.destroy();
    expect(rowsOf(file).patches).toEqual([]);
  });
});

describe('documents that are imported', () => {
  it('with bytes that are none are not taken for empty ones', async () => {
    const persistence = new HocuspocusPersistence({ database: freshFile(), Y });
    onTestFinished(() => persistence.destroy());
    const data = Buffer.from(updateOf('x')).toString('base64') as unknown as Uint8Array;
    await expect(importDocuments(persistence, [{ name: 'notes', data }])).rejects.toMatchObject(
      invalid(/"notes".*string/),
    );
    const nothing = [undefined, null, new Uint8Array()].map((none) => ({ name: 'notes', data: none }));
    expect(await importDocuments(persistence, nothing)).toEqual({ imported: 0, skipped: 3 });
  });
});

describe('a document', () => {
  it('is bound after the end, and nobody listens: that is told, and ends no process', async () => {
    const text = `
const persistence = new YjsPersistence(file, { Y, onError: ({ code }, name) => console.log(name, code) });
await persistence.destroy();
void persistence.bindState('notes', new Y.Doc());
await new Promise((resolve) => setImmediate(resolve));
console.log('still here');`;
    const { stdout } = await runEditor(text, freshFile());
    expect(stdout).toMatch(/notes closed\nstill here/);
  });

  it('is given bytes that are none, or is gone, and nobody listens: that is told, and ends no process', async () => {
    const text = `
const persistence = new YjsPersistence(file, { Y, onError: ({ code }, name) => console.log(name, code) });
void persistence.storeUpdate('notes', 'text');
await persistence.destroy();
void persistence.storeUpdate('others', new Uint8Array(2));
await new Promise((resolve) => setImmediate(resolve));
console.log('still here');`;
    const { stdout } = await runEditor(text, freshFile());
    expect(stdout).toMatch(/notes invalid-argument\nothers closed\nstill here/);
  });

  it.each([
    ['with', { onError: () => undefined }],
    ['without', {}],
  ])('has a name that is none, %s onError: each call rejects, and nothing is thrown at it', async (_, options) => {
    const persistence = persistenceOn(freshFile(), options);
    const merged = new MergedDocuments(freshFile(), { merge: 'data:text/javascript,', ...options });
    onTestFinished(() => merged.destroy());
    const circular: Record<string, unknown> = Object.create(null);
    circular.self = circular;
    for (const name of [10n, Symbol('name'), circular, undefined] as never[]) {
      for (const call of [
        () => persistence.storeUpdate(name, updateOf('x')),
        () => persistence.storeUpdate(name, 'text' as never),
        () => persistence.bindState(name, new Y.Doc()),
        () => persistence.bindState(name, {} as never),
        () => merged.append(name, new Uint8Array(1)),
        () => merged.append(name, 'text' as never),
      ]) {
        const called = call();
        await expect(called).rejects.toMatchObject({ code: 'invalid-argument' });
      }
    }
    await expect(
      importDocuments(persistenceOfHocuspocus(), [{ name: 10n as never, data: updateOf('x') }]),
    ).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  it.each([
    ['an error', new Error('on purpose'), 'on purpose'],
    ['nothing', undefined, 'undefined'],
    ['a proxy that was revoked', revokedProxy(), 'something that tells nothing'],
  ])(
    'has an observer that throws while it is loaded: the call rejects with that, and nothing is taken for damaged: %s',
    async (_, onPurpose, said) => {
      const file = freshFile();
      const throwing = (doc: Y.Doc) =>
        doc.getText('text').observe(() => {
          throw onPurpose;
        });
      const told: SDS_PersistenceError[] = [];
      const persistence = persistenceOn(file, { onError: (error) => told.push(error) });
      await persistence.storeUpdate('notes', updateOf('stored'));
      const doc = new Y.Doc();
      throwing(doc);
      const thrown = await persistence.bindState('notes', doc).catch((error: unknown) => [error]);
      expect(Array.isArray(thrown) && thrown[0] === onPurpose).toBe(true);
      expect(told.map(({ code, cause }) => [code, cause === onPurpose])).toEqual([['io-error', true]]);
      expect(told[0]?.message).toBe(`load ("notes"): code of the program has thrown: ${said}`);
      expect(textOf(doc)).toBe('stored');
      await persistence.writeState('notes', doc);
    },
  );

  it('has an observer that throws while Hocuspocus loads it: that is what the opening rejects with', async () => {
    const onPurpose = new Error('on purpose');
    const throwing = (doc: Y.Doc) =>
      doc.getText('text').observe(() => {
        throw onPurpose;
      });
    const file = freshFile();
    await persistenceOn(file).storeUpdate('notes', updateOf('stored'));
    const others = [
      { priority: 2000, onLoadDocument: async ({ document }: { document: Y.Doc }) => throwing(document) },
    ];
    const { server } = await serve(file, { others });
    await expect(server.hocuspocus.openDirectConnection('notes')).rejects.toBe(onPurpose);
  });

  it.each(['update', 'afterTransactionCleanup', 'beforeTransaction', 'subdocs'] as const)(
    'has a listener of %s that throws, by which Yjs tells nobody of changes any more: what is changed after that is stored when it is released',
    async (event) => {
      const file = freshFile();
      const persistence = persistenceOn(file);
      const doc = new Y.Doc();
      const throwing = () => {
        throw new Error('on purpose');
      };
      if (event === 'update') doc.on(event, throwing); // before that of the persistence
      await persistence.bindState('notes', doc);
      if (event !== 'update') doc.on(event, throwing);
      expect(() => doc.getMap('others').set('one', new Y.Doc())).toThrow('on purpose');
      doc.off(event, throwing);
      type(doc, 'abc');
      doc.getText('text').delete(0, 1);
      await persistence.writeState('notes', doc);
      const { patches } = rowsOf(file);
      expect(await storedText(file)).toBe(textOf(doc));
      // and no more than that
      await persistence.bindState('notes', doc);
      await persistence.writeState('notes', doc);
      expect(rowsOf(file).patches.length).toBe(patches.length + 1); // what it has when it is bound
      await persistence.bindState('notes', doc);
      await persistence.clearDocument('notes');
      await persistence.writeState('notes', doc);
      expect(rowsOf(file).patches).toEqual([]);
    },
  );

  it('has a listener that throws while it is loaded: what an observer has changed just then is stored when it is released', async () => {
    const file = freshFile();
    const onPurpose = new Error('on purpose');
    const persistence = persistenceOn(file, { onError: () => undefined });
    await persistence.storeUpdate('notes', updateOf('stored'));
    const doc = new Y.Doc();
    doc.getText('text').observe(() => {
      if (textOf(doc) === 'stored') type(doc, ', and more');
    });
    doc.once('afterTransactionCleanup', () => {
      throw onPurpose;
    });
    await expect(persistence.bindState('notes', doc)).rejects.toBe(onPurpose);
    await persistence.writeState('notes', doc);
    expect(textOf(doc)).toBe('stored, and more');
    expect(await storedText(file)).toBe(textOf(doc));
  });

  it('can not be encoded: destroy() says so once the others are stored, and the database is released', async () => {
    const file = freshFile();
    const persistence = persistenceOn(file);
    const docs = { first: new Y.Doc(), other: new Y.Doc() };
    for (const [name, doc] of Object.entries(docs)) await persistence.bindState(name, doc);
    expect(() => docs.first.getText('text').insertEmbed(0, { number: 1n })).toThrow('BigInt');
    type(docs.other, 'x');
    await expect(persistence.destroy()).rejects.toThrow('BigInt');
    await expect(persistence.getAllDocNames()).rejects.toMatchObject({ code: 'closed' });
    expect(await storedText(file, 'other')).toBe('x');
  });

  it('can not be encoded, nor can another one, while a third one can not be stored: destroy() names one, and tells of each', async () => {
    const file = freshFile();
    const told: string[] = [];
    const persistence = persistenceOn(file, { onError: ({ code }, name) => told.push(`${name}: ${code}`) });
    const docs = { first: new Y.Doc(), other: new Y.Doc(), third: new Y.Doc() };
    for (const [name, doc] of Object.entries(docs)) await persistence.bindState(name, doc);
    for (const doc of [docs.first, docs.other]) {
      expect(() => doc.getText('text').insertEmbed(0, { number: 1n })).toThrow('BigInt');
    }
    nothingIsStoredIn(file);
    type(docs.third, 'x');
    const message = expect.stringMatching(/document "first" \(and of 2 more\) is not stored: .*BigInt/);
    await expect(persistence.destroy()).rejects.toMatchObject({ code: 'io-error', message });
    expect(told.sort()).toEqual(['first: io-error', 'other: io-error', 'third: invalid-argument']);
  });

  it('can not be encoded when it is released: that is told, and its store is released all the same', async () => {
    const file = freshFile();
    const told: string[] = [];
    const persistence = persistenceOn(file, { onError: ({ message }, name) => told.push(`${name}: ${message}`) });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    type(doc, 'x');
    expect(() => doc.getText('text').insertEmbed(0, { number: 1n })).toThrow('BigInt');
    const closing = vi.spyOn(SDS_DesktopPersistenceProvider.prototype, 'close');
    onTestFinished(() => closing.mockRestore());
    await persistence.writeState('notes', doc);
    expect(told).toEqual([expect.stringMatching(/notes: .*BigInt/)]);
    expect(closing).toHaveBeenCalledTimes(1);
    expect(await storedText(file)).toBe('x');
  });

  it('can not be encoded while Hocuspocus serves it: it is unloaded, the next client has what was stored, and the server goes on', async () => {
    const told: string[] = [];
    const { server, url } = await serve(freshFile(), { onError: ({ message }) => told.push(message) });
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    onTestFinished(() => said.mockRestore());
    const opened = await server.hocuspocus.openDirectConnection('notes');
    await opened.transact((doc) => type(doc, 'x'));
    const served = server.hocuspocus.documents.get('notes') as Y.Doc;
    const closing = vi.spyOn(SDS_DesktopPersistenceProvider.prototype, 'close');
    onTestFinished(() => closing.mockRestore());
    expect(() => served.getText('text').insertEmbed(0, { number: 1n })).toThrow('BigInt');
    await opened.disconnect().catch(() => undefined); // as the server says
    await expect.poll(() => told).toEqual([expect.stringContaining('BigInt')]);
    expect(closing).toHaveBeenCalledTimes(1);
    expect((await connect(url)).text()).toBe('x');
    await server.destroy();
  });

  it('can not be encoded after an update of it was rejected: Hocuspocus unloads it all the same, and its server ends', async () => {
    const file = freshFile();
    const told: string[] = [];
    const { server } = await serve(file, { onError: ({ message }) => told.push(message) });
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    onTestFinished(() => said.mockRestore());
    const opened = await server.hocuspocus.openDirectConnection('notes');
    const served = server.hocuspocus.documents.get('notes') as Y.Doc;
    const thereIsRoom = nothingIsStoredIn(file);
    type(served, 'x');
    await expect.poll(() => told).toEqual([expect.stringContaining('on purpose')]);
    thereIsRoom();
    expect(() => served.getText('text').insertEmbed(0, { number: 1n })).toThrow('BigInt');
    await opened.disconnect().catch(() => undefined); // as the server says
    await server.destroy();
    expect(told).toEqual([expect.stringContaining('on purpose'), expect.stringContaining('BigInt')]);
  });

  it('is left to another one whose listener throws before anything is applied: that one gets it with the next attempt', async () => {
    const file = freshFile();
    const told: string[] = [];
    const persistence = persistenceOn(file, { onError: ({ message }) => told.push(message) });
    const [doc, heir] = [new Y.Doc(), new Y.Doc()];
    for (const one of [doc, heir]) await persistence.bindState('notes', one);
    const thereIsRoom = nothingIsStoredIn(file);
    type(doc, 'x');
    heir.once('beforeTransaction', () => {
      throw new Error('in a listener');
    });
    await persistence.writeState('notes', doc);
    expect(told).toEqual([expect.stringContaining('on purpose'), expect.stringContaining('in a listener')]);
    thereIsRoom();
    await persistence.writeState('notes', heir);
    expect(await storedText(file)).toBe('x');
  });

  it('has a listener that throws while Hocuspocus serves it: what is changed after that is stored by onStoreDocument, and when it is unloaded', async () => {
    const file = freshFile();
    const { server } = await serve(file);
    const opened = await server.hocuspocus.openDirectConnection('notes');
    const served = server.hocuspocus.documents.get('notes') as Y.Doc;
    served.once('updateV2', () => {
      throw new Error('on purpose');
    });
    expect(() => type(served, 'a')).toThrow('on purpose');
    type(served, 'bc');
    await (await server.hocuspocus.openDirectConnection('notes')).disconnect(); // which has it stored, and not unloaded
    expect(await storedText(file)).toBe('abc');
    type(served, 'd');
    await opened.disconnect();
    await server.destroy();
    expect(await storedText(file)).toBe('abcd');
  });

  it('that is bound by one name is not bound by another', async () => {
    const persistence = persistenceOn(freshFile(), { onError: () => undefined });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    await expect(persistence.bindState('plans', doc)).rejects.toMatchObject(invalid(/bound as "notes"/));
    await persistence.writeState('notes', doc);
    await persistence.bindState('plans', doc);
  });

  it('that a subscriber binds by another name while it is being bound: that is the only one by which it is stored', async () => {
    const persistence = persistenceOn(freshFile(), { onError: () => undefined });
    await persistence.ready();
    const doc = new Y.Doc();
    let other: Promise<void> | undefined;
    let opened = 0;
    listen('open:start', () => {
      if (++opened === 1) other = persistence.bindState('plans', doc);
    });
    const bound = persistence.bindState('notes', doc);
    type(doc, 'abc');
    await expect(bound).rejects.toMatchObject(invalid(/bound as "plans"/));
    await other;
    await persistence.writeState('plans', doc);
    expect(await persistence.getAllDocNames()).toEqual(['plans']);
    expect(textOf(await persistence.getYDoc('plans'))).toBe('abc');
  });

  it('of another Yjs, or no document at all, is refused, and nothing of it is stored', async () => {
    const file = freshFile();
    const persistence = persistenceOn(file, { onError: () => undefined });
    const { Doc } = (await import(`${import.meta.resolve('yjs')}?another`)) as typeof Y;
    const other = new Doc();
    for (const doc of [other, undefined, {}]) {
      await expect(persistence.bindState('notes', doc as Y.Doc)).rejects.toMatchObject(
        invalid(/no document of the Yjs/),
      );
    }
    other.getText('text').insert(0, 'lost');
    await persistence.destroy();
    expect(rowsOf(file).patches).toEqual([]);
  });

  it('that is bound and released again and again is left as it was', async () => {
    const persistence = persistenceOn(freshFile());
    const doc = new Y.Doc();
    const listeners = () => ['update', 'destroy'].map((event) => doc._observers.get(event)?.size ?? 0);
    const before = listeners();
    for (let times = 0; times < 3; times++) {
      await persistence.bindState('notes', doc);
      await persistence.writeState('notes', doc);
    }
    expect(listeners()).toEqual(before);
  });

  it.each(['open:start', 'commit:start'])(
    'that a subscriber of %s binds, too, while it is being bound: it is bound once',
    async (channel) => {
      const persistence = persistenceOn(freshFile());
      await persistence.ready();
      const doc = new Y.Doc();
      type(doc, 'x');
      const listeners = () => ['update', 'destroy'].map((event) => doc._observers.get(event)?.size ?? 0);
      let loads = 0;
      listen('load:start', () => loads++);
      const bound: Promise<void>[] = [];
      let calls = 0;
      listen(channel, () => {
        if (++calls === 1) bound.push(persistence.bindState('notes', doc));
      });
      bound.push(persistence.bindState('notes', doc));
      expect(bound).toHaveLength(2);
      await Promise.all(bound);
      expect(loads).toBe(1);
      await persistence.writeState('notes', doc);
      expect(listeners()).toEqual([0, 0]);
      expect(textOf(await persistence.getYDoc('notes'))).toBe('x');
    },
  );

  it.each([
    ['by destroying it', (_: YjsPersistence<Y.Doc>, doc: Y.Doc) => doc.destroy()],
    ['twice', (persistence: YjsPersistence<Y.Doc>, doc: Y.Doc) => void persistence.writeState('notes', doc)],
  ])('that is released %s: writeState waits until it is stored', async (_, release) => {
    const file = freshFile();
    const persistence = persistenceOn(file, { busyTimeoutMs: 60_000 });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    const other = new DatabaseSync(file);
    onTestFinished(() => other.close());
    other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
    let isHeld = true;
    type(doc, 'x');
    release(persistence, doc);
    const written = persistence.writeState('notes', doc).then(() => isHeld);
    await immediate();
    isHeld = false;
    other.exec('COMMIT');
    expect(await written).toBe(false);
    expect(rowsOf(file).patches).toHaveLength(1);
  });

  it('of which an update was rejected is deleted: it is released, and stays deleted', async () => {
    const { persistence, doc, folder, file } = await withARejectedUpdate();
    mkdirSync(folder);
    await persistence.clearDocument('notes');
    await persistence.writeState('notes', doc);
    await persistence.destroy();
    expect(rowsOf(file).patches).toEqual([]);
  });

  it('of which an update was rejected can not be deleted either: it is still stored as a whole', async () => {
    const { persistence, doc, folder, file } = await withARejectedUpdate();
    await expect(persistence.clearDocument('notes')).rejects.toMatchObject({ code: 'open-failed' });
    mkdirSync(folder);
    await persistence.writeState('notes', doc);
    expect(await storedText(file)).toBe('x');
  });

  it('that can not be deleted, and is changed meanwhile, is stored as a whole by that change: nobody is told that it is not', async () => {
    const file = freshFile();
    const errors: SDS_PersistenceError[] = [];
    const persistence = persistenceOn(file, { onError: (error) => errors.push(error) });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    type(doc, 'x');
    await persistence.getStateVector('notes');
    const other = new DatabaseSync(file);
    onTestFinished(() => other.close());
    other.exec(`PRAGMA busy_timeout = 30000;
      CREATE TRIGGER refusal BEFORE DELETE ON patches BEGIN SELECT RAISE(ABORT, 'on purpose'); END`);
    const cleared = persistence.clearDocument('notes');
    type(doc, 'y');
    await expect(cleared).rejects.toMatchObject({ code: 'invalid-argument' });
    await persistence.writeState('notes', doc);
    expect(errors).toEqual([]);
    expect(textOf(await persistence.getYDoc('notes'))).toHaveLength(2);
  });

  it('of which an update was rejected is deleted after its last client has left: it stays deleted', async () => {
    const { persistence, doc, folder } = await withARejectedUpdate();
    const written = persistence.writeState('notes', doc);
    mkdirSync(folder);
    await persistence.clearDocument('notes');
    await written;
    expect(await persistence.getAllDocNames()).toEqual([]);
  });

  it('is deleted while an update of it is being rejected: it stays deleted', async () => {
    const errors: string[] = [];
    const onError = ({ code }: { code: string }) => void errors.push(code);
    const file = freshFile();
    const persistence = persistenceOn(file, { maxPendingBytes: 1_000_000, overflow: 'reject', onError });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    for (const length of [1_000_000, 900_000]) doc.getText('text').insert(0, 'x'.repeat(length));
    await persistence.clearDocument('notes');
    expect(errors).toEqual(['queue-full']);
    await persistence.writeState('notes', doc);
    expect(await persistence.getAllDocNames()).toEqual([]);
  });
});

describe('bytes', () => {
  it('of a state vector are the caller’s again when getDiff has returned', async () => {
    const persistence = persistenceOn(freshFile());
    const doc = new Y.Doc();
    type(doc, 'hello');
    await persistence.storeUpdate('notes', Y.encodeStateAsUpdate(doc));
    const vector = Y.encodeStateVector(doc);
    const diff = persistence.getDiff('notes', vector);
    vector.fill(0);
    expect(await diff).toEqual(new Uint8Array([0, 0]));
  });

  it('that are none are an invalid argument, whatever takes them', async () => {
    const file = freshFile();
    const persistence = persistenceOn(file);
    const hocuspocus = new HocuspocusPersistence({ database: file, Y });
    const storage = new AutomergeRepoStorage(file, { onError: () => undefined });
    onTestFinished(async () => {
      await Promise.all([hocuspocus.destroy(), storage.close()]);
    });
    for (const bytes of [detached(), undefined, 'text'] as Uint8Array[]) {
      await expect(persistence.getDiff('notes', bytes)).rejects.toMatchObject(invalid(/stateVector/));
      await expect(hocuspocus.add('notes', bytes)).rejects.toMatchObject(invalid(/state/));
      await expect(storage.save(['notes'], bytes)).rejects.toMatchObject(invalid(/Data/));
    }
    await expect(hocuspocus.add('notes', new Uint8Array())).rejects.toMatchObject(invalid(/no bytes/));
    await expect(persistence.storeUpdate('notes', new Uint8Array())).rejects.toMatchObject(invalid(/no bytes/));
    const replace = hocuspocus.add('notes', updateOf('x'), 'replace' as 'merge');
    await expect(replace).rejects.toMatchObject(invalid(/'skip' or 'merge'/));
    expect(await hocuspocus.names()).toEqual([]);
  });
});

it('a subscriber stores an update of another document as destroy() stores what waits: that one is stored and released, too', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  const [, second] = updatesOf(['a', 'b']);
  Y.applyUpdate(doc, second as Uint8Array); // waits for the first one
  let isTold = false;
  const stored = new Promise<void>((resolve) => {
    listen('commit:start', () => {
      if (isTold) return;
      isTold = true;
      resolve(persistence.storeUpdate('log', updateOf('x')));
    });
  });
  await persistence.destroy();
  await stored;
  expect(filesBeside(file)).toEqual(['store.db']);
});

it.each([
  ['bindState', (persistence: YjsPersistence<Y.Doc>) => persistence.bindState('notes', new Y.Doc())],
  ['storeUpdate', (persistence: YjsPersistence<Y.Doc>) => persistence.storeUpdate('notes', updateOf('x'))],
])('a subscriber ends all as %s opens a store: the call rejects, and nothing is left open', async (_, call) => {
  const file = freshFile();
  const persistence = persistenceOn(file, { onError: () => undefined });
  let ended: Promise<void> | undefined;
  listen('open:start', () => {
    ended ??= persistence.destroy();
  });
  await expect(call(persistence)).rejects.toMatchObject({ code: 'closed' });
  await ended;
  expect(filesBeside(file)).toEqual(['store.db']);
});

it('all is ended as another document takes over what could not be stored, and stores it: that does not fail', async () => {
  const file = freshFile();
  const errors: string[] = [];
  const persistence = persistenceOn(file, { busyTimeoutMs: 100, onError: ({ code }) => errors.push(code) });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  doc.getText('text').insert(0, 'x'.repeat(100));
  await persistence.getStateVector('notes');
  const state = Y.encodeStateAsUpdate(doc);
  const other = new DatabaseSync(file);
  onTestFinished(() => other.close());
  other.exec(`PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE;
    CREATE TRIGGER rule BEFORE INSERT ON patches WHEN length(NEW.data) > ${state.byteLength}
    BEGIN SELECT RAISE(ABORT, 'too long'); END`);
  type(doc, 'y');
  await expect.poll(() => errors).toEqual(['database-busy']);
  other.exec('COMMIT');
  void persistence.writeState('notes', doc); // all of it is too long
  const next = new Y.Doc();
  Y.applyUpdate(next, state); // so that it stores no more than what it takes over
  const taken = new Promise<void>((resolve) => next.on('update', () => resolve()));
  const bound = persistence.bindState('notes', next);
  await taken;
  await persistence.destroy();
  await bound;
  other.exec('DROP TRIGGER rule');
  expect(await storedText(file)).toBe(`${'x'.repeat(100)}y`);
});

it('a document of which something was asked just before all is ended: what is called behind that rejects as ever', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file, { onError: () => undefined });
  await persistence.bindState('notes', new Y.Doc()); // which is released first
  await persistence.storeUpdate('log', updateOf('x'));
  const ended = persistence.destroy();
  for (const call of [persistence.storeUpdate('log', updateOf('y')), persistence.getYDoc('log')]) {
    await expect(call).rejects.toMatchObject({ code: 'closed' });
  }
  await ended;
  expect(await storedText(file, 'log')).toBe('x');
});

it('a subscriber asks for a document as a call opens its store: both have an answer, and one of the two stays open for the next call', async () => {
  const persistence = persistenceOn(freshFile());
  await persistence.ready();
  const closing = vi.spyOn(SDS_DesktopPersistenceProvider.prototype, 'close');
  onTestFinished(() => closing.mockRestore());
  let asked: Promise<Uint8Array> | undefined;
  let opened = 0;
  listen('open:start', () => {
    if (++opened === 1) asked = persistence.getStateVector('notes');
  });
  expect(await persistence.getStateVector('notes')).toEqual(await asked);
  expect([opened, closing.mock.calls.length]).toEqual([2, 1]);
});

it('a subscriber changes a document as a call stores what it had: it is not released before that is stored as well', async () => {
  const file = freshFile();
  const errors: string[] = [];
  const persistence = persistenceOn(file, { busyTimeoutMs: 100, onError: ({ code }) => errors.push(code) });
  await persistence.ready();
  const other = new DatabaseSync(file);
  onTestFinished(() => other.close());
  const stored = other.prepare('SELECT count(*) AS times FROM patches');
  const doc = new Y.Doc();
  type(doc, 'x');
  let isTold = false;
  listen('commit:start', () => {
    if (isTold) return;
    isTold = true;
    while (stored.get()?.times === 0);
    other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
    type(doc, 'y');
  });
  const bound = persistence.bindState('notes', doc).catch(() => undefined); // as is told
  let isReleased = false;
  const written = persistence.writeState('notes', doc).then(() => {
    isReleased = true;
  });
  await expect.poll(() => errors).toContain('database-busy');
  await immediate();
  expect(isReleased).toBe(false);
  other.exec('COMMIT');
  await Promise.all([written, bound]);
  expect(textOf(await persistence.getYDoc('notes'))).toHaveLength(2);
});

it('a storage of automerge-repo is closed while one write is under way and another one waits for room: all of its promises settle', async () => {
  const file = freshFile();
  const errors: string[] = [];
  const storage = new AutomergeRepoStorage(file, {
    maxPendingBytes: 1_000_000,
    overflow: 'reject',
    busyTimeoutMs: 500,
    onError: ({ code }) => errors.push(code),
  });
  await storage.save(['first'], new Uint8Array(3));
  const other = new DatabaseSync(file);
  other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  onTestFinished(() => other.close());
  const saved = [storage.save(['a'], new Uint8Array(1_000_000)), storage.save(['b'], new Uint8Array(900_000))];
  const outcomes = Promise.allSettled(saved);
  for (let job = 0; job < 20; job++) await null; // the second one has been refused by then, and nothing is heard of the first
  await storage.close();
  expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(errors).toEqual([]); // their rejections say so
});

it('a storage of automerge-repo is closed as soon as it tells of a failure: what its last attempt stores is stored', async () => {
  const file = freshFile();
  let closed: Promise<void> | undefined;
  const storage = new AutomergeRepoStorage(file, {
    onError: () => {
      closed = storage.close();
    },
  });
  const onPurpose = new SDS_PersistenceError('io-error', 'on purpose');
  const spy = vi.spyOn(SDS_DesktopPersistenceProvider.prototype, 'saveRecord').mockRejectedValueOnce(onPurpose);
  onTestFinished(() => spy.mockRestore());
  await storage.save(['a'], new Uint8Array(3));
  await closed;
  const again = new AutomergeRepoStorage(file);
  expect(await again.load(['a'])).toEqual(new Uint8Array(3));
  await again.close();
});

it('a storage of automerge-repo is given a chunk in the moment in which it has stored all that had failed: that is stored, too', async () => {
  const file = freshFile();
  const storage = new AutomergeRepoStorage(file, {
    maxPendingBytes: 1_000_000,
    overflow: 'reject',
    onError: () => undefined,
  });
  await storage.save(['first'], new Uint8Array(3));
  const { promise: later, resolve: called } = Promise.withResolvers<{ saved: Promise<void> }>();
  // what another record, of the same transaction, has somebody call
  const callLater = () => called({ saved: storage.save(['later'], new Uint8Array(3)) });
  const { saveRecord } = SDS_DesktopPersistenceProvider.prototype;
  let attempts = 0;
  const spy = vi.spyOn(SDS_DesktopPersistenceProvider.prototype, 'saveRecord').mockImplementation(function (
    this: SDS_DesktopPersistenceProvider,
    key,
    data,
  ) {
    const saved = saveRecord.call(this, key, data);
    if (data.byteLength === 900_000 && ++attempts === 2) void saved.then(() => undefined).then(callLater);
    return saved;
  });
  onTestFinished(() => spy.mockRestore());
  await Promise.all([storage.save(['a'], new Uint8Array(1_000_000)), storage.save(['b'], new Uint8Array(900_000))]);
  await (await later).saved;
  await storage.close();
});
