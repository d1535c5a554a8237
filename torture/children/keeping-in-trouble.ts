/**
 * A program in ordinary trouble that keeps documents by one of the adapters: changes them, reads them, deletes them, lets go of them and takes
 * them again. Each change is a number. It tells of each what becomes of it, and compares what it reads with that.
 */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type * as hocuspocus from '@hocuspocus/server';
import { AutomergeRepoStorage } from 'sds-persistence-worker/automerge-repo';
import type * as adapter from 'sds-persistence-worker/hocuspocus';
import { MergedDocuments } from 'sds-persistence-worker/merged-documents';
import { YjsPersistence } from 'sds-persistence-worker/yjs';
import * as Y from 'yjs';
import { namedByAdapters } from '../another-keeper.ts';
import { LASTING, numbersIn, numbersOf, updateOf } from '../numbered-changes.ts';
import { codeOf } from '../rig.ts';
import { isOver, life, live, noted, random, say } from './in-trouble.ts';

/** Of each document: a program that nothing slows down has a rest then. */
const MOST_CHANGES = 3000;
const ignored = () => undefined;
let last = 0;
let names = 0;
let asked = 0;
/** Deletions under way: whoever opened a document meanwhile might have it in memory. */
let removing = 0;
let isGivenUp = false;
/** Of which documents a failure was told that no promise tells. */
const toldOf = new Set<string>();
const onError = (error: Error, id: string) => {
  toldOf.add(id);
  isGivenUp ||= LASTING.includes(codeOf(error));
  say(`told ${id} ${codeOf(error)}`);
};
const options = namedByAdapters(life.options);

/** One change, as it was called last. */
interface Change {
  by: string;
  state: 'called' | 'kept' | 'rejected' | 'removing' | 'gone';
}

/** What uses one document. */
abstract class Subject {
  readonly id: string;
  /** Whether nothing else does. */
  readonly isAlone: boolean;
  /** By what its changes are called now. */
  by = '-';
  readonly #changes = new Map<number, Change>();
  abstract readonly isOpen: boolean;
  /** What is done from time to time, beside changes. */
  abstract readonly others: (() => unknown)[];

  constructor(id: string, isAlone: boolean) {
    this.id = id;
    this.isAlone = isAlone;
  }

  abstract change(): unknown;
  abstract leave(): void;
  /** Deletes it, if nobody else may store it. */
  abstract clear(): Promise<unknown>;
  /** Lets go of it, and takes it again. */
  abstract reopen(): Promise<unknown>;

  get isFull(): boolean {
    return this.#changes.size >= MOST_CHANGES;
  }

  /** Told before it is done: who is killed has told of all that may be stored. */
  protected called(number: number, by = this.by): Change {
    const change: Change = { by, state: 'called' };
    this.#changes.set(number, change);
    say(`called patch ${this.id} ${number} ${by}`);
    return change;
  }

  /** Returns what tells the answer: with 'ok', all is stored that was called before by the same. */
  asking(by = this.by): (answer: string) => void {
    const own = [...this.#changes.values()].filter((one) => one.by === by && one.state === 'called');
    const what = `${this.id} ${by} ${asked++}`;
    say(`asked ${what}`);
    return (answer) => {
      say(`answered ${what} ${answer}`);
      if (answer === 'ok') for (const one of own) if (one.state === 'called') one.state = 'kept';
    };
  }

  /** Returns whether it has resolved. */
  async #isKept(what: string, promise: Promise<unknown>): Promise<boolean> {
    try {
      await noted(promise);
      say(`kept ${what}`);
      return true;
    } catch (error) {
      say(`failed ${what} ${codeOf(error)}`);
      return false;
    }
  }

  /** A change with a promise of its own. */
  protected async append(call: (number: number) => Promise<unknown>): Promise<void> {
    const number = ++last;
    const change = this.called(number, '-');
    const isKept = await this.#isKept(`patch ${this.id} ${number}`, call(number));
    if (change.state === 'called') change.state = isKept ? 'kept' : 'rejected';
  }

  /** @param only - the one that is removed; else all */
  protected async remove(call: () => Promise<unknown>, only?: number): Promise<void> {
    const own = [...this.#changes].flatMap(([number, one]) => (number === (only ?? number) ? [one] : []));
    for (const one of own) one.state = 'removing';
    const what = `${only === undefined ? 'prune' : 'release'} ${this.id} ${only ?? ++last}`;
    say(`called ${what} -`);
    removing++;
    if (await this.#isKept(what, call())) for (const one of own) one.state = 'gone';
    removing--;
  }

  /** Returns what compares: all is there that was acknowledged before, and nothing that was removed. */
  protected looking(): (where: string, there: ReadonlySet<number>) => void {
    const before = [...this.#changes].map(([number, one]) => ({ number, one, state: one.state }));
    return (where, there) => {
      for (const { number, one, state } of before) {
        if (one.state !== state || this.#changes.get(number) !== one) continue;
        if (there.has(number) ? state === 'gone' : state === 'kept')
          return void say(`wrong: ${where}: in ${this.id}, ${number} is ${state}`);
      }
    };
  }

  protected async read(load: () => Promise<ReadonlySet<number>>): Promise<void> {
    const look = this.looking();
    await noted(load()).then((there) => look('read', there), ignored);
  }
}

/** What keeps the documents of one database. */
abstract class Home<Used extends Subject> {
  readonly subjects: Used[] = [];
  protected readonly path: string;
  /** Some of it may be closed: that may store yet what is deleted meanwhile, or fail to do so. */
  closing = 0;
  #ending: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.path = path;
  }

  abstract add(id: string, isAlone: boolean): void;
  abstract open(): Promise<unknown>;
  protected abstract end(): Promise<unknown>;

  /** A document whose failure is not told of is stored. */
  async close(): Promise<void> {
    // whoever closes while something is being closed waits for that as well
    const others = this.closing++ > 0 ? this.#ending : undefined;
    const answers = this.subjects.map((subject) => [subject.id, subject.asking()] as const);
    const ended = noted(this.end());
    this.#ending = Promise.allSettled([ended, others]).then(() => Promise.all([ended, others]));
    const outcome = await this.#ending.then(() => 'ok', codeOf);
    for (const [id, answer] of answers) answer(toldOf.has(id) ? outcome : 'ok');
  }

  async renew(): Promise<void> {
    if (this.closing > 0 || removing > 0) return;
    const closed = this.close().then(() => this.closing--);
    for (const subject of this.subjects) subject.leave();
    if (random.chance(0.5)) await closed;
    if (!isOver()) await this.open();
  }
}

// ---- Documents in memory -------------------------------------------------------------------------

abstract class Live extends Subject {
  protected doc: Y.Doc | undefined;
  /** Whether it was removed, and not changed since: then all of it is stored again. */
  #isRemoved = false;

  get isOpen(): boolean {
    return this.doc !== undefined;
  }

  leave(): void {
    this.doc = undefined;
  }

  protected take(doc: Y.Doc, by: string): void {
    if (this.by !== by) this.#isRemoved = false;
    this.doc = doc;
    this.by = by;
  }

  protected callAll(doc: Y.Doc): void {
    for (const number of numbersIn(doc)) this.called(number);
  }

  change(): void {
    const { doc } = this;
    if (doc === undefined) return;
    if (this.#isRemoved) this.callAll(doc);
    this.#isRemoved = false;
    const number = ++last;
    this.called(number);
    doc.transact(() => {
      doc.getArray('all').push([number]);
      if (random.chance(0.02)) doc.getMap('state').set('large', 'x'.repeat(random.below(60_000)));
      const text = doc.getText('text');
      text.insert(random.below(text.length + 1), `${number} `);
      if (text.length > 500) text.delete(0, 250);
    });
  }

  protected removeAll(call: () => Promise<unknown>): Promise<void> {
    this.#isRemoved = true;
    return this.remove(call);
  }
}

class YjsHome extends Home<YjsDocument> {
  persistence = this.#made();

  #made(): YjsPersistence<Y.Doc> {
    return new YjsPersistence(this.path, { Y, ...options, onError });
  }

  add(id: string, isAlone: boolean): void {
    const subject = new YjsDocument(this, id, isAlone);
    this.subjects.push(subject);
    subject.open();
  }

  async open(): Promise<void> {
    this.persistence = this.#made();
    for (const subject of this.subjects) subject.open();
  }

  protected end(): Promise<void> {
    return this.persistence.destroy();
  }
}

class YjsDocument extends Live {
  readonly #home: YjsHome;
  #isLoaded = false;

  constructor(home: YjsHome, id: string, isAlone: boolean) {
    super(id, isAlone);
    this.#home = home;
  }

  open(doc = new Y.Doc()): void {
    const by = `live-${names++}`;
    const isNew = numbersIn(doc).size === 0;
    this.take(doc, by);
    this.callAll(doc);
    this.#isLoaded = false;
    const look = this.looking();
    noted(this.#home.persistence.bindState(this.id, doc)).then(() => {
      if (isNew) look('bound', numbersIn(doc));
      this.#isLoaded = this.by === by;
    }, ignored);
  }

  readonly others = [
    () => this.reopen(),
    () => this.reopen(),
    () => this.clear(),
    () => this.clear(),
    () => void this.#flush(),
    () => void this.#flush(),
    () => void this.read(async () => numbersIn(await this.#home.persistence.getYDoc(this.id))),
    () => this.isOpen && void this.append((number) => this.#home.persistence.storeUpdate(this.id, updateOf(number))),
    () => void noted(this.#home.persistence.getStateVector(this.id)).catch(ignored),
    () => random.chance(0.3) && this.#home.renew(),
  ];

  async reopen(): Promise<void> {
    const { doc, by, id } = this;
    if (doc === undefined) return;
    const { persistence } = this.#home;
    this.leave();
    const store = async () => {
      const answer = this.asking(by);
      await noted(persistence.writeState(id, doc));
      // what could not be stored, another one may have, or it is told by `destroy`
      const isHere = !toldOf.has(id) || (this.isAlone && this.by === by);
      if (isHere && this.#home.closing === 0) answer('ok');
    };
    const stored = random.chance(0.8) ? store() : undefined;
    if (random.chance(0.5)) await stored;
    if (stored === undefined || random.chance(0.3)) doc.destroy();
    if (random.chance(0.2)) await this.clear(); // while it is being released, or after that
    if (random.chance(0.3)) await pause(random.below(300));
    const isFree = !this.isOpen && persistence === this.#home.persistence && this.#home.closing === 0;
    if (isFree && !isOver()) this.open(random.chance(0.2) && !doc.isDestroyed ? doc : undefined);
  }

  async #flush(): Promise<void> {
    const answer = this.asking();
    await noted(this.#home.persistence.flushDocument(this.id)).then(() => {
      // it reads what is stored, behind all that was called before, if nothing of that was rejected
      if (!toldOf.has(this.id) && this.#home.closing === 0) answer('ok');
    }, ignored);
  }

  async clear(): Promise<void> {
    if (!this.isAlone || !this.#isLoaded || this.#home.closing > 0) return;
    const removed = this.removeAll(() => this.#home.persistence.clearDocument(this.id));
    if (random.chance(0.7)) await removed;
    if (random.chance(0.5)) await this.reopen();
  }
}

type Modules = typeof hocuspocus & typeof adapter;

class HocuspocusHome extends Home<ServedDocument> {
  readonly #modules: Modules;
  /** By what changes of a document in memory are called. */
  readonly names = new WeakMap<Y.Doc, string>();
  persistence: adapter.HocuspocusPersistence | undefined;
  server: hocuspocus.Server | undefined;
  #opening: Promise<unknown> | undefined;

  constructor(path: string, modules: Modules) {
    super(path);
    this.#modules = modules;
    void this.open();
  }

  add(id: string, isAlone: boolean): void {
    this.subjects.push(new ServedDocument(this, id, isAlone));
  }

  open(): Promise<unknown> {
    this.#opening = this.#open();
    return this.#opening;
  }

  async #open(): Promise<void> {
    while (!isOver()) {
      const persistence = new this.#modules.HocuspocusPersistence({ database: this.path, Y, ...options, onError });
      const storing = new WeakMap<Y.Doc, ((answer: string) => void)[]>();
      const telling: hocuspocus.Extension = {
        priority: persistence.priority + 1,
        onStoreDocument: async ({ document, documentName }) => {
          const own = this.subjects.filter(({ id, by }) => id === documentName && by === this.names.get(document));
          storing.set(
            document,
            own.map((subject) => subject.asking()),
          );
        },
        afterStoreDocument: async ({ document }) => {
          for (const answer of storing.get(document) ?? []) answer('ok');
        },
      };
      const server = new this.#modules.Server({
        port: 0,
        address: '127.0.0.1',
        quiet: true,
        stopOnSignals: false,
        debounce: 20,
        maxDebounce: 100,
        extensions: [persistence, telling],
      });
      try {
        await server.listen();
        this.persistence = persistence;
        this.server = server;
        for (const subject of this.subjects) void subject.open(server);
        return;
      } catch {
        await noted(server.destroy()).catch(ignored);
        await pause(50);
      }
    }
  }

  override async renew(): Promise<void> {
    if (this.server !== undefined) await super.renew();
  }

  protected async end(): Promise<void> {
    await this.#opening;
    const { server } = this;
    this.server = undefined;
    for (const subject of this.subjects) subject.leave();
    await server?.destroy();
  }
}

class ServedDocument extends Live {
  readonly #home: HocuspocusHome;
  #connection: hocuspocus.DirectConnection | undefined;
  #left: Promise<unknown> | undefined;

  constructor(home: HocuspocusHome, id: string, isAlone: boolean) {
    super(id, isAlone);
    this.#home = home;
  }

  /** Again and again, as a client does. */
  async open(server: hocuspocus.Server): Promise<void> {
    const { names: known } = this.#home;
    while (!isOver() && server === this.#home.server && !this.isOpen) {
      const look = this.looking();
      try {
        const connection = await noted(server.hocuspocus.openDirectConnection(this.id));
        if (server !== this.#home.server || this.isOpen) return void (await connection.disconnect());
        const doc = connection.document as Y.Doc; // it was just opened
        if (!known.has(doc)) look('opened', numbersIn(doc));
        const by = known.get(doc) ?? `live-${names++}`;
        known.set(doc, by);
        this.#connection = connection;
        this.take(doc, by);
      } catch {
        await pause(20);
      }
    }
  }

  override leave(): void {
    super.leave();
    this.#left = this.#connection?.disconnect().catch(ignored);
    this.#connection = undefined;
  }

  readonly others = [
    () => this.reopen(),
    () => this.reopen(),
    () => this.clear(),
    () => random.chance(0.3) && this.#home.renew(),
  ];

  async reopen(): Promise<void> {
    const { server } = this.#home;
    if (!this.isOpen || server === undefined) return;
    this.leave();
    if (random.chance(0.5)) await this.#left;
    if (random.chance(0.2) && server === this.#home.server) await this.#delete();
    await this.open(server);
  }

  /** Not while it is being opened: it would have in memory what is deleted. */
  async clear(): Promise<void> {
    if (!this.isOpen) return;
    await this.#delete();
    if (random.chance(0.5)) await this.reopen();
  }

  async #delete(): Promise<void> {
    const { persistence, closing } = this.#home;
    if (this.isAlone && persistence !== undefined && closing === 0)
      await this.removeAll(() => persistence.delete(this.id));
  }
}

// ---- Documents that are stored change by change --------------------------------------------------

interface Storage {
  append(id: string, number: number): Promise<unknown>;
  load(id: string): Promise<ReadonlySet<number>>;
  remove(id: string): Promise<unknown>;
  removeOne?(id: string, number: number): Promise<unknown>;
  compact?(id: string): Promise<unknown>;
  close(): Promise<void>;
}

/** With the number, and something behind it, in bytes that are the caller's again. */
function called<T>(number: number, call: (bytes: Uint8Array) => T): T {
  const bytes = Buffer.from(`${number},`.padEnd(random.chance(0.02) ? 150_000 : 10 + random.below(1000), ' '));
  const result = call(bytes);
  bytes.fill(0xee);
  return result;
}

function mergedIn(path: string): Storage {
  const merge = new URL('merging-texts.ts', import.meta.url);
  const documents = new MergedDocuments(path, { merge, ...options, onError });
  return {
    append: (id, number) => called(number, (bytes) => documents.append(id, bytes)),
    load: async (id) => new Set((await documents.load(id)).flatMap(numbersOf)),
    remove: (id) => documents.remove(id),
    compact: (id) => documents.compact(id),
    close: () => documents.destroy(),
  };
}

const repeats = random.chance(0.6);

function automergeIn(path: string): Storage {
  const ids = life.stores.flatMap((store) => (store.path === path ? [store.id] : []));
  // all that is called after that waits as well, and nobody is told of it
  const tellOfAll = (error: Error) => {
    for (const id of ids) onError(error, id);
  };
  const storage = new AutomergeRepoStorage(path, { ...options, ...(repeats ? { onError: tellOfAll } : {}) });
  const keyOf = (id: string, number: number) => [id, number % 3 === 0 ? 'snapshot' : 'incremental', `${number}`];
  return {
    append: (id, number) => called(number, (bytes) => storage.save(keyOf(id, number), bytes)),
    load: async (id) => new Set((await storage.loadRange([id])).flatMap(({ data }) => numbersOf(data))),
    remove: (id) => storage.removeRange([id]),
    removeOne: (id, number) => storage.remove(keyOf(id, number)),
    close: () => storage.close(),
  };
}

class StoredHome extends Home<StoredDocument> {
  readonly #made: (path: string) => Storage;
  storage: Storage;

  constructor(path: string, made: (path: string) => Storage) {
    super(path);
    this.#made = made;
    this.storage = made(path);
  }

  add(id: string, isAlone: boolean): void {
    this.subjects.push(new StoredDocument(this, id, isAlone));
  }

  async open(): Promise<void> {
    this.storage = this.#made(this.path);
  }

  protected end(): Promise<void> {
    return this.storage.close();
  }
}

class StoredDocument extends Subject {
  readonly #home: StoredHome;
  #recent: number[] = [];

  constructor(home: StoredHome, id: string, isAlone: boolean) {
    super(id, isAlone);
    this.#home = home;
  }

  get isOpen(): boolean {
    return this.#home.closing === 0;
  }

  leave(): void {}

  async change(): Promise<void> {
    if (!this.isOpen) return;
    await this.append((number) => {
      this.#recent.push(number);
      return this.#home.storage.append(this.id, number);
    });
  }

  readonly others = [
    () => this.change(),
    () => this.read(() => this.#home.storage.load(this.id)),
    () => this.clear(),
    () => void this.#removeOne(),
    () => this.#removeOne(),
    () => noted(this.#home.storage.compact?.(this.id) ?? Promise.resolve()).catch(ignored),
    () => random.chance(0.3) && this.#home.renew(),
  ];

  reopen(): Promise<void> {
    return this.#home.renew();
  }

  async clear(): Promise<void> {
    if (!this.isAlone || !this.isOpen) return;
    this.#recent = [];
    await this.remove(() => this.#home.storage.remove(this.id));
  }

  async #removeOne(): Promise<void> {
    const { storage } = this.#home;
    if (storage.removeOne === undefined || !this.isOpen) return;
    const number = this.#recent.pop();
    if (number !== undefined) await this.remove(async () => storage.removeOne?.(this.id, number), number);
  }
}

// ---- The program ---------------------------------------------------------------------------------

const kinds: Record<string, (path: string) => Home<Subject> | Promise<Home<Subject>>> = {
  yjs: (path) => new YjsHome(path),
  async hocuspocus(path) {
    // which take long to be loaded
    const modules = { ...(await import('@hocuspocus/server')), ...(await import('sds-persistence-worker/hocuspocus')) };
    return new HocuspocusHome(path, modules);
  },
  merged: (path) => new StoredHome(path, mergedIn),
  'automerge-repo': (path) => new StoredHome(path, automergeIn),
};

const homes = new Map<string, Home<Subject>>();
for (const { path, id, providers } of life.stores) {
  const home = homes.get(path) ?? (await kinds[life.style]?.(path));
  if (home === undefined) throw new Error(`nothing keeps documents as ${life.style}`);
  homes.set(path, home);
  for (let i = 0; i < providers; i++) home.add(id, providers === 1);
}
const subjects = [...homes.values()].flatMap((home) => home.subjects);

/** Some have a rest before their end: nothing that is called then tells of what was rejected before. */
const restsAt = random.chance(0.5) ? Number.POSITIVE_INFINITY : performance.now() + life.lasts - random.below(400);

async function work(subject: Subject): Promise<void> {
  while (!isOver()) {
    if (subject.isFull || performance.now() > restsAt) {
      await pause(20);
      continue;
    }
    if (subject.isOpen) for (let i = random.below(random.chance(0.1) ? 200 : 12); i >= 0; i--) void subject.change();
    // what was rejected is made up for soon, and is met by those alone that are in time
    if (toldOf.has(subject.id) && random.chance(0.4)) await (random.chance(0.5) ? subject.clear() : subject.reopen());
    else if (random.chance(0.5)) await random.pick(subject.others)();
    await (random.chance(0.4) ? nextTurn() : pause(random.below(12)));
  }
}

process.on('unhandledRejection', (error) => say(`wrong: unhandled ${(error as Error)?.stack ?? error}`));
const close = () => Promise.all([...homes.values()].map((home) => home.close()));
live({
  work: () => Promise.all(subjects.map(work)),
  close,
  lastCalls() {
    if (performance.now() > restsAt) return;
    for (const subject of subjects) if (subject.isOpen) void subject.change();
  },
  letEnd() {
    if (life.style === 'hocuspocus') void close(); // it listens
  },
  givesUp: () => isGivenUp,
});
