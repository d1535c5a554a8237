/**
 * Restores a document, tells in which state it is, and once it is told to goes on changing it, as a server does that has it open, as one that
 * stores updates by hand, or as Hocuspocus does. It tells what it has called, and what is acknowledged.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { YjsPersistence } from 'sds-persistence-worker/yjs';
import * as Y from 'yjs';
import { change, changesIn, countOf } from '../counted-document.ts';
import type { Life } from '../documents-killed.ts';
import { livingWorkers } from '../living-workers.ts';
import { Random } from '../random.ts';
import { codeOf } from '../rig.ts';

/** What a life does with its document. */
interface Editor {
  readonly doc: Y.Doc;
  /** Resolves with `true` once all that was changed before is stored. */
  store(): Promise<boolean>;
  /** Lets go of the document, and takes it again. */
  reopen(): Promise<void>;
  end(): Promise<void>;
}

const { place, name, how, seed, failing, options } = JSON.parse(process.argv[2] ?? '{}') as Life;
const random = new Random(seed);
const say = (line: string) => writeSync(1, `${line}\n`);
const settings = {
  ...options,
  yjs: new URL(`merging-badly.ts?failing=${failing}`, import.meta.url),
  resourceLimits: { maxOldGenerationSizeMb: 48 },
  onError: (error: Error) => {
    isRejected ||= isOfRoom(error);
    noted(error);
  },
};
/** An update was rejected, so that what comes behind it says nothing of what is stored. */
let isRejected = false;

const editors = { bound, stored, served };

async function bound(): Promise<Editor> {
  const persistence = new YjsPersistence(place, { Y, ...settings });
  rubbish = () => persistence.storeUpdate(name, new Uint8Array(64).fill(255));
  const open = async () => {
    const opened = new Y.Doc();
    await persistence.bindState(name, opened);
    return opened;
  };
  let doc = await open();
  return {
    get doc() {
      return doc;
    },
    store: async () => {
      // whatever comes of the merging: it reads what is stored, behind all that was called before
      await (random.chance(0.7) ? persistence.flushDocument(name) : persistence.getStateVector(name));
      return !isRejected;
    },
    reopen: async () => {
      const left = doc;
      await persistence.writeState(name, left);
      say(`acknowledged ${countOf(left)}`);
      left.destroy();
      doc = await open();
    },
    end: () => persistence.destroy(),
  };
}

async function stored(): Promise<Editor> {
  const persistence = new YjsPersistence(place, { Y, ...settings });
  rubbish = () => persistence.storeUpdate(name, new Uint8Array(64).fill(255));
  let last: Promise<void> | undefined;
  let isLacking = false;
  const keep = (update: Uint8Array) => {
    last = persistence.storeUpdate(name, update);
    last.catch(() => {
      isLacking = true; // that was told
    });
  };
  const open = async () => {
    const opened = await persistence.getYDoc(name);
    opened.on('update', keep);
    return opened;
  };
  let doc = await open();
  const store = async () => {
    if (isLacking) {
      isLacking = false;
      keep(Y.encodeStateAsUpdate(doc));
    }
    await last;
    if (random.chance(0.3)) await persistence.flushDocument(name);
    return !isLacking;
  };
  const storeAll = async () => {
    while (!(await store().catch(() => false))) await pause(50);
  };
  return {
    get doc() {
      return doc;
    },
    store,
    reopen: async () => {
      await storeAll();
      doc.destroy();
      doc = await open();
    },
    end: async () => {
      await storeAll();
      await persistence.destroy();
    },
  };
}

async function served(): Promise<Editor> {
  const { Server } = await import('@hocuspocus/server'); // which takes long
  const { HocuspocusPersistence } = await import('sds-persistence-worker/hocuspocus');
  const persistence = new HocuspocusPersistence({ database: place, ...settings });
  let storing = 0;
  const server = new Server({
    port: 0,
    address: '127.0.0.1',
    quiet: true,
    stopOnSignals: false,
    debounce: 10,
    maxDebounce: 50,
    extensions: [
      persistence,
      {
        priority: persistence.priority + 1,
        onStoreDocument: async ({ document }) => {
          storing = countOf(document);
        },
        afterStoreDocument: async () => void say(`acknowledged ${storing}`),
      },
    ],
  });
  await server.listen();
  say(`listening ${server.webSocketURL}`);
  const open = async () => {
    const connection = await server.hocuspocus.openDirectConnection(name);
    if (connection.document === null) throw new Error('a connection that was just opened has its document');
    return { connection, doc: connection.document };
  };
  let opened = await open();
  return {
    get doc() {
      return opened.doc;
    },
    store: async () => false, // it does so by itself
    reopen: async () => {
      await opened.connection.disconnect();
      opened = await open();
    },
    end: async () => {
      await opened.connection.disconnect();
      await server.destroy();
    },
  };
}

/** Stores an update that is none; where somebody may do that. */
let rubbish = async (): Promise<void> => undefined;
let isEnding = false;
/** Nobody stores what is changed meanwhile. */
let isReopening = false;
let underWay = 0;

process.on('worker', (worker: Worker) => {
  if ((worker as { threadName?: string }).threadName !== 'sds-merging') return;
  worker.once('exit', () => say('merging thread ended'));
});

const editor = await editors[how]();

const orders: Record<string, () => void> = {
  go: () => void edit(),
  rubbish: () => void rubbish().catch(noted),
  end: () => {
    isEnding = true;
  },
  exit: () => {
    if (!isReopening) burst();
    process.exit(0);
  },
  error: () => {
    if (!isReopening) burst();
    throw new Error('nobody catches this');
  },
};
createInterface({ input: process.stdin }).on('line', (line) => orders[line]?.());
say(`restored ${changesIn(editor.doc)}`);

/** All in one turn. */
function burst(): void {
  let called = 0;
  for (let more = random.below(30); more >= 0; more--) called = change(editor.doc);
  say(`called ${called} ${performance.timeOrigin + performance.now()}`);
}

async function edit(): Promise<void> {
  while (!isEnding) {
    burst();
    if (underWay < 2 && random.chance(0.3)) void acknowledge();
    if (random.chance(0.02)) await reopen();
    if (random.chance(0.05)) terminateMerging();
    await (random.chance(0.5) ? nextTurn() : pause(random.below(8)));
  }
  await editor.end();
  process.stdin.destroy();
  say('ended');
}

async function acknowledge(): Promise<void> {
  const changes = countOf(editor.doc);
  underWay++;
  try {
    if (await editor.store()) say(`acknowledged ${changes}`);
  } catch (error) {
    noted(error);
  }
  underWay--;
}

async function reopen(): Promise<void> {
  const changes = countOf(editor.doc);
  isReopening = true;
  await editor.reopen();
  isReopening = false;
  const found = changesIn(editor.doc);
  if (found !== changes) say(`wrong: left with ${changes} changes, found with ${found}`);
}

function isOfRoom(error: unknown): boolean {
  return ['database-full', 'connection-failed'].includes(codeOf(error));
}

function noted(error: unknown): void {
  if (isEnding && codeOf(error) === 'closed') return; // a call that was under way
  say(`failed ${codeOf(error)}`);
}

function terminateMerging(): void {
  for (const worker of livingWorkers) {
    if ((worker as { threadName?: string }).threadName === 'sds-merging') void worker.terminate();
  }
}
