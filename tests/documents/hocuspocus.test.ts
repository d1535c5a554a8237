/** A real server and real clients: what they type is there for who comes next, and in the next server. */
import type { Document, Extension } from '@hocuspocus/server';
import { describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import type { Engine } from '../support/engine.ts';
import { sqlite } from '../support/files.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';
import { connect, serve, storedText, unloaded } from './hocuspocus-server.ts';

const suite =
  ({ freshPlace, rowsOf }: Engine) =>
  () => {
    it('two clients type; all of it is there when the server has gone, and in the next one', async () => {
      const place = await freshPlace();
      const first = await serve(place);
      const [one, other] = [await connect(first.url), await connect(first.url)];
      one.type('one types ');
      other.type('the other too ');
      await expect.poll(() => one.text()).toHaveLength(24);
      await expect.poll(() => other.text()).toBe(one.text());
      await Promise.all([one.heard(), other.heard()]);
      await first.server.destroy();
      const second = await serve(place);
      const next = await connect(second.url);
      expect(next.text()).toBe(one.text());
    });

    it('the last client leaves and another one comes, again and again: nothing is lost between', async () => {
      const place = await freshPlace();
      const served = await serve(place);
      for (let round = 0; round < 10; round++) {
        const client = await connect(served.url);
        expect(client.text()).toBe('0123456789'.slice(0, round));
        client.type(String(round));
        await client.heard();
        client.leave();
      }
      await unloaded(served);
      await served.server.destroy();
      expect(await storedText(place)).toBe('0123456789');
    });

    it.each<[string, (text: Y.Text) => void, string]>([
      ['types', (text) => text.insert(0, 'typed'), 'typed it'],
      ['deletes', (text) => text.delete(0, 3), ''],
    ])(
      'a program that opens a document directly in any job of its unloading, and %s: that is stored',
      async (_, change, expected) => {
        const place = await freshPlace();
        const { server, persistence } = await serve(place);
        const names = Array.from({ length: 60 }, (_, jobs) => String(jobs));
        for (const [jobs, name] of names.entries()) {
          const one = await server.hocuspocus.openDirectConnection(name);
          await one.transact((document) => document.getText('text').insert(0, ' it'));
          const left = one.disconnect();
          for (let job = 0; job < jobs; job++) await null;
          const two = await server.hocuspocus.openDirectConnection(name);
          await two.transact((document) => change(document.getText('text')));
          await left;
          await two.disconnect();
          await Promise.all(server.hocuspocus.unloadingDocuments.values());
        }
        await server.destroy();
        await persistence.destroy();
        const next = await serve(place);
        for (const name of names) {
          const { document } = await next.server.hocuspocus.openDirectConnection(name);
          expect([name, document?.getText('text').toString()]).toEqual([name, expected]);
        }
      },
    );

    it('a client that is let in while a document is unloaded, in any job of that: what it types is stored', async () => {
      const place = await freshPlace();
      const names = Array.from({ length: 40 }, (_, jobs) => String(jobs));
      const doors = new Map(
        names.map((name) => [name, { came: Promise.withResolvers<void>(), opened: Promise.withResolvers<void>() }]),
      );
      const doorman: Extension = {
        async onAuthenticate({ documentName }) {
          doors.get(documentName)?.came.resolve();
          await doors.get(documentName)?.opened.promise;
          for (let job = 0; job < Number(documentName); job++) await null;
        },
        async beforeUnloadDocument({ documentName }) {
          doors.get(documentName)?.opened.resolve();
          for (let job = 0; job < 20; job++) await null;
        },
      };
      const served = await serve(place, { others: [doorman] });
      for (const [name, { came }] of doors) {
        const direct = await served.server.hocuspocus.openDirectConnection(name);
        const connecting = connect(served.url, name);
        await came.promise;
        await direct.disconnect();
        const client = await connecting;
        client.type('typed');
        await client.heard();
        client.leave();
      }
      await unloaded(served);
      await served.server.destroy();
      const next = await serve(place);
      for (const name of names) {
        const { document } = await next.server.hocuspocus.openDirectConnection(name);
        expect([name, document?.getText('text').toString()]).toEqual([name, 'typed']);
      }
    });

    it('the server unloads a document once more that it has unloaded: the one that has its name now stays', async () => {
      const served = await serve(await freshPlace());
      const { hocuspocus } = served.server;
      const first = await hocuspocus.openDirectConnection('notes');
      const unloadedBefore = first.document as Document;
      await first.disconnect();
      await unloaded(served);
      const { document } = await hocuspocus.openDirectConnection('notes');
      await hocuspocus.unloadDocument(unloadedBefore); // as a timer of the server does that is late
      expect(hocuspocus.documents.get('notes')).toBe(document);
    });

    it('a document is unloaded again, late: no extension behind this one is asked, which could keep it from its end', async () => {
      const asked: unknown[] = [];
      const behind = {
        priority: 100,
        beforeUnloadDocument: async ({ document }: { document: unknown }) => void asked.push(document),
      };
      const served = await serve(await freshPlace(), { others: [behind] });
      const { hocuspocus } = served.server;
      const first = await hocuspocus.openDirectConnection('notes');
      const before = first.document as Document;
      await first.disconnect();
      await unloaded(served);
      await hocuspocus.openDirectConnection('notes');
      await hocuspocus.unloadDocument(before); // as a timer of the server does that is late
      expect(asked).toEqual([before]);
    });

    it.each(['beforeUnloadDocument', 'afterUnloadDocument'] as const)(
      'a document is left while a slow %s of another extension has one that had its name before: it is unloaded as well, and the server ends',
      async (hook) => {
        const [came, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
        let isSlow = false;
        const slow = async () => {
          if (!isSlow) return;
          came.resolve();
          await opened.promise;
        };
        const served = await serve(await freshPlace(), { others: [{ priority: 2000, [hook]: slow }] });
        const { hocuspocus } = served.server;
        const first = await hocuspocus.openDirectConnection('notes');
        const before = first.document as Document;
        isSlow = hook === 'afterUnloadDocument';
        const left = first.disconnect();
        await (isSlow ? came.promise : left);
        const second = await hocuspocus.openDirectConnection('notes');
        isSlow = true;
        if (hook === 'beforeUnloadDocument') void hocuspocus.unloadDocument(before); // as a timer of the server does that is late
        await came.promise;
        const leaving = second.disconnect();
        await expect.poll(() => hocuspocus.debouncer.isCurrentlyExecuting('onStoreDocument-notes')).toBe(false);
        opened.resolve();
        await Promise.all([left, leaving]);
        isSlow = false;
        await unloaded(served);
        await served.server.destroy();
      },
    );

    it.each([
      ['no filter, and gc off', { gc: false }],
      ['a filter that answers without looking', { gcFilter: () => false }],
      [
        'a filter that asks for one thing that it keeps',
        { gcFilter: (item?: Y.Item) => item?.length !== 'first'.length },
      ],
    ])('%s: what was deleted is there for snapshots, behind a compaction as well', async (_, ofDocuments) => {
      const place = await freshPlace();
      const keeping = { yDocOptions: { gc: true, gcFilter: () => true, ...ofDocuments } };
      const served = await serve(place, keeping);
      const direct = await served.server.hocuspocus.openDirectConnection('notes');
      const document = direct.document as Y.Doc; // it is open
      const text = document.getText('text');
      text.insert(0, 'first');
      const snapshot = Y.snapshot(document);
      text.delete(0, 5);
      for (let i = 0; i < 600; i++) text.insert(i, 'x');
      await expect.poll(async () => (await rowsOf(place)).snapshots).toHaveLength(1);
      await direct.disconnect();
      await unloaded(served);
      await served.server.destroy();
      const next = await serve(place, keeping);
      const again = await next.server.hocuspocus.openDirectConnection('notes');
      const then = Y.createDocFromSnapshot(Object.assign(again.document as Y.Doc, { gc: false }), snapshot);
      expect(then.getText('text').toString()).toBe('first');
      await again.disconnect();
    });
  };

describe('SQLite', suite(sqlite));
describeOnPostgresql('PostgreSQL', suite(postgresql));
