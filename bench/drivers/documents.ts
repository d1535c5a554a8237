/** What keeps documents of Yjs: bound to a document in memory, or as an extension of a Hocuspocus server. */
import { join } from 'node:path';
import type * as Yjs from 'yjs';
import { YjsPersistence } from '../../dist/yjs.js';
import { type Described, importPeer } from './driver.ts';

type Doc = Yjs.Doc;

/** Documents whose changes are stored as they come. */
export interface Documents {
  /** Resolves once what is stored is in the document. */
  bind(name: string, doc: Doc): unknown;
  /** Resolves once it has nothing more to do on this thread, where it can tell. */
  settle(): unknown;
  /** The document as it is stored. */
  stored(name: string): Promise<Doc>;
  close(): unknown;
}

export interface DocumentDriver extends Described {
  open(folder: string, Y: typeof Yjs): Promise<Documents>;
}

/** What the servers of a usual package do, `y-websocket` for one. */
interface LeveldbPersistence {
  getYDoc(name: string): Promise<Doc>;
  storeUpdate(name: string, update: Uint8Array): Promise<unknown>;
  destroy(): Promise<void>;
}

interface InsertDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): { run(...values: unknown[]): unknown; all(...values: unknown[]): { data: Uint8Array }[] };
  close(): void;
}

export const documentDrivers: Readonly<Record<string, DocumentDriver>> = {
  'provider-yjs': {
    title: 'YjsPersistence of this package',
    committed:
      'nobody asks: within some milliseconds, as this provider commits; merged into a snapshot from time to time',
    async open(folder, Y) {
      const persistence = new YjsPersistence(join(folder, 'documents.db'), { Y });
      return {
        bind: (name, doc) => persistence.bindState(name, doc),
        settle: () => {},
        stored: (name) => persistence.getYDoc(name),
        close: () => persistence.destroy(),
      };
    },
  },
  'y-leveldb': {
    title: 'y-leveldb',
    committed:
      'nobody asks: once LevelDB has handed it to the system, one update after the other; never merged while open',
    peer: 'y-leveldb',
    async open(folder, Y) {
      const peer = await importPeer<{ LeveldbPersistence: new (folder: string) => LeveldbPersistence }>('y-leveldb');
      const persistence = new peer.LeveldbPersistence(join(folder, 'leveldb'));
      let last: Promise<unknown> = Promise.resolve();
      return {
        async bind(name, doc) {
          const stored = await persistence.getYDoc(name);
          last = persistence.storeUpdate(name, Y.encodeStateAsUpdate(doc));
          Y.applyUpdate(doc, Y.encodeStateAsUpdate(stored));
          doc.on('update', (update: Uint8Array) => {
            last = persistence.storeUpdate(name, update);
          });
        },
        settle: () => last,
        stored: (name) => persistence.getYDoc(name),
        close: () => persistence.destroy(),
      };
    },
  },
  'insert-yjs': {
    title: 'one INSERT an update, better-sqlite3',
    committed: 'each update by itself, in WAL mode, synchronous = NORMAL; never merged',
    peer: 'better-sqlite3',
    async open(folder, Y) {
      const { default: Peer } = await importPeer<{ default: new (path: string) => InsertDatabase }>('better-sqlite3');
      const database = new Peer(join(folder, 'updates.db'));
      database.exec('PRAGMA journal_mode = WAL');
      database.exec('PRAGMA synchronous = NORMAL');
      database.exec('CREATE TABLE updates (id INTEGER PRIMARY KEY, name TEXT NOT NULL, data BLOB NOT NULL)');
      const insert = database.prepare('INSERT INTO updates (name, data) VALUES (?, ?)');
      const select = database.prepare('SELECT data FROM updates WHERE name = ? ORDER BY id');
      return {
        bind: (name, doc) => {
          doc.on('update', (update: Uint8Array) => void insert.run(name, update));
        },
        settle: () => {},
        stored: async (name) => {
          const doc = new Y.Doc();
          doc.transact(() => {
            for (const { data } of select.all(name)) Y.applyUpdate(doc, data);
          });
          return doc;
        },
        close: () => database.close(),
      };
    },
  },
  'nothing-yjs': {
    title: 'the same documents, stored nowhere',
    committed: 'nothing is stored',
    async open() {
      const docs = new Map<string, Doc>();
      return {
        bind: (name, doc) => void docs.set(name, doc),
        settle: () => {},
        stored: async (name) => docs.get(name) as Doc, // it was bound
        close: () => {},
      };
    },
  },
};

/** Extensions of a Hocuspocus server; the server's process makes them by these names (`work/document-process.mjs`). */
export const documentServers: Readonly<Record<string, Described>> = {
  'provider-hocuspocus': {
    title: 'Hocuspocus, HocuspocusPersistence of this package',
    committed: 'each update as it comes, within some milliseconds; merged into a snapshot from time to time',
  },
  'extension-sqlite': {
    title: 'Hocuspocus, @hocuspocus/extension-sqlite',
    committed: 'the whole document, after 2 s without a change and after 10 s at most, with synchronous = FULL',
    peer: '@hocuspocus/extension-sqlite',
  },
  'nothing-hocuspocus': {
    title: 'Hocuspocus, without persistence',
    committed: 'nothing is stored',
  },
};
