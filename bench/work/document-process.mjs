/**
 * A process that has loaded nothing but what a server of documents needs, in plain JavaScript: loading TypeScript would take memory
 * of its own. `fill WHO FOLDER COUNT BYTES` stores so many documents of that size, `serve WHO FOLDER` serves them by Hocuspocus,
 * and tells what is asked; `read WHO FOLDER NAME` says how long a text is; `open WHO FOLDER` opens a document.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as Y from 'yjs';
import { watchTurns } from './turns.mjs';
import { typeInto } from './type-into.mjs';

const [, , what, who, folder = '.', ...more] = process.argv;
const file = join(folder, 'documents.db');
const fileOf = (name) => join(folder, `${name}.yjs`);

// ---- extensions of a server --------------------------------------------------------------------

const extensions = {
  'provider-hocuspocus': async () => {
    const { HocuspocusPersistence } = await import('../../dist/hocuspocus.js');
    return new HocuspocusPersistence({ database: file });
  },
  'extension-sqlite': async () => {
    const { SQLite } = await import('@hocuspocus/extension-sqlite');
    return new SQLite({ database: file });
  },
  /** It has its documents from files, and stores nothing. */
  'nothing-hocuspocus': () => ({
    async onLoadDocument({ document, documentName }) {
      let state;
      try {
        state = readFileSync(fileOf(documentName));
      } catch (error) {
        if (error.code === 'ENOENT') return; // it is new
        throw error;
      }
      Y.applyUpdate(document, state);
    },
  }),
};

/** Stores a document before the measurement, by what the extension itself has for that. */
const add = {
  'provider-hocuspocus': (extension, name, state) => extension.add(name, state),
  'extension-sqlite': (extension, documentName, state) => extension.configuration.store({ documentName, state }),
  'nothing-hocuspocus': (_, name, state) => writeFileSync(fileOf(name), state),
};

// ---- documents -------------------------------------------------------------------------------------

const WORDS = 'the quick brown fox jumps over a lazy dog while nobody looks and then some more of it is written'.split(
  ' ',
);
const WORDS_A_PARAGRAPH = 60;
/** About what such a word takes as a part of the state. */
const WORD_BYTES = 10;

/** Paragraphs as an editor has them, written by three people word for word in turn, so that each word is a piece of its own. */
function largeDocument(bytes) {
  const doc = new Y.Doc();
  const paragraphs = doc.getXmlFragment('default');
  let word = 0;
  doc.transact(() => {
    for (let left = bytes / WORD_BYTES; left > 0; left -= WORDS_A_PARAGRAPH) {
      const text = new Y.XmlText();
      const paragraph = new Y.XmlElement('paragraph');
      paragraphs.push([paragraph]);
      paragraph.push([text]);
      for (let i = 0; i < WORDS_A_PARAGRAPH; i++, word++) {
        doc.clientID = 1 + (word % 3);
        text.insert(text.length, `${WORDS[(word * 7) % WORDS.length]} `);
      }
    }
  });
  return doc;
}

/** What the package merges a document after, but for so many updates: so that it does that while it is watched, one document after the other. */
const unmergedOf = (stateBytes, index) => Math.max(Math.round(Math.max(500, stateBytes / 1024) - 100 - 60 * index), 0);

/** Stores updates as they come, beside what is stored. */
async function addUnmerged(name, updates) {
  const { SDS_DesktopPersistenceProvider } = await import('../../dist/index.js');
  const provider = new SDS_DesktopPersistenceProvider(file, name);
  let { LastClock: clock } = await provider.loadStore();
  for (const update of updates) void provider.appendPatch(update, ++clock);
  await provider.close();
}

async function fill() {
  const [count = '1', bytes = '1000'] = more;
  const extension = await extensions[who]();
  await extension.onConfigure?.();
  const doc = largeDocument(Number(bytes));
  const state = Y.encodeStateAsUpdate(doc);
  const updates = [];
  doc.on('update', (update) => updates.push(update));
  doc.clientID = 9;
  for (let i = unmergedOf(state.byteLength, 0); i > 0; i--) typeInto(doc, i);
  const isMerged = who !== 'provider-hocuspocus';
  const stored = isMerged ? Y.encodeStateAsUpdate(doc) : state;
  for (let i = 0; i < Number(count); i++) await add[who](extension, `document ${i}`, stored);
  await extension.onDestroy?.();
  for (let i = 0; i < Number(count) && !isMerged; i++) {
    await addUnmerged(`document ${i}`, updates.slice(0, unmergedOf(state.byteLength, i)));
  }
  process.send({ stateBytes: state.byteLength }, () => process.exit());
}

// ---- a server ---------------------------------------------------------------------------------------

async function startServer() {
  const { Server } = await import('@hocuspocus/server');
  const extension = await extensions[who]();
  const server = new Server({
    port: 0,
    address: '127.0.0.1',
    quiet: true,
    stopOnSignals: false,
    extensions: [extension],
  });
  await server.listen();
  return server;
}

const MiB = 1024 ** 2;

async function serve() {
  const server = await startServer();
  let end = () => ({});
  let before = process.threadCpuUsage();
  const answers = {
    watch() {
      before = process.threadCpuUsage();
      end = watchTurns();
      return {};
    },
    turns() {
      const { user, system } = process.threadCpuUsage(before);
      return { ...end(), mainMs: (user + system) / 1000 };
    },
    memory: () => ({ peakMiB: process.resourceUsage().maxRSS / 1024, nowMiB: process.memoryUsage.rss() / MiB }),
  };
  process.on('message', (question) => process.send(answers[question]()));
  process.send({ url: server.webSocketURL });
}

async function read() {
  const [name] = more;
  const server = await startServer();
  const direct = await server.hocuspocus.openDirectConnection(name);
  const { length } = direct.document.getText('text');
  await direct.disconnect();
  process.send({ length }, () => process.exit());
}

// ---- one document ------------------------------------------------------------------------------------

const openers = {
  async 'provider-yjs'() {
    const { YjsPersistence } = await import('../../dist/yjs.js');
    const persistence = new YjsPersistence(file, { Y });
    await persistence.getMetas('another one'); // the database is open
    return (doc) => persistence.bindState('document', doc);
  },
  async 'y-leveldb'() {
    const { LeveldbPersistence } = await import('y-leveldb');
    const persistence = new LeveldbPersistence(join(folder, 'leveldb'));
    await persistence.getMetas('another one');
    return async (doc) => Y.applyUpdate(doc, Y.encodeStateAsUpdate(await persistence.getYDoc('document')));
  },
  /** What it takes at least: one update that has all of it. */
  'nothing-yjs'() {
    const state = readFileSync(fileOf('document'));
    return (doc) => Y.applyUpdate(doc, state);
  },
};

async function open() {
  const opener = await openers[who]();
  const doc = new Y.Doc();
  await pause(100);
  const end = watchTurns();
  await pause(20);
  const start = performance.now();
  await opener(doc);
  const wholeMs = performance.now() - start;
  await pause(20);
  process.send({ ...end(), wholeMs, length: doc.getText('text').length }, () => process.exit());
}

await { fill, serve, read, open }[what]();
