/** Documents that a server of Hocuspocus keeps: changed within its process, or by clients over the network. */
import { setTimeout as pause } from 'node:timers/promises';
import * as network from '@hocuspocus/provider';
import * as hocuspocus from '@hocuspocus/server';
import { HocuspocusPersistence } from 'sds-persistence-worker/hocuspocus';
import * as Y from 'yjs';
import { numbersIn } from '../../numbered-changes.ts';
import { isOver, noted, random } from '../in-trouble.ts';
import { Live } from './live.ts';
import { type Change, Home, ignored, nextName, onError, options } from './subject.ts';

export class HocuspocusHome extends Home<Served> {
  readonly #hasClients: boolean;
  /** By what changes of a document in memory are called. */
  readonly names = new WeakMap<Y.Doc, string>();
  persistence: HocuspocusPersistence | undefined;
  server: hocuspocus.Server | undefined;
  #opening: Promise<unknown> | undefined;

  constructor(path: string, hasClients: boolean) {
    super(path);
    this.#hasClients = hasClients;
    void this.open();
  }

  add(id: string, isAlone: boolean): void {
    this.subjects.push(this.#hasClients ? new ClientDocument(this, id) : new ServedDocument(this, id, isAlone));
  }

  open(): Promise<unknown> {
    this.#opening = this.#open();
    return this.#opening;
  }

  async #open(): Promise<void> {
    while (!isOver()) {
      const persistence = new HocuspocusPersistence({ database: this.path, Y, ...options, onError });
      const storing = new WeakMap<Y.Doc, (() => void)[]>();
      const telling: hocuspocus.Extension = {
        priority: persistence.priority + 1,
        onStoreDocument: async ({ document, documentName }) => {
          const own = this.subjects.filter(({ id }) => id === documentName);
          storing.set(
            document,
            own.flatMap((subject) => subject.storing(document) ?? []),
          );
        },
        afterStoreDocument: async ({ document }) => {
          for (const stored of storing.get(document) ?? []) stored();
        },
      };
      const server = new hocuspocus.Server({
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
    for (const subject of this.subjects) if (!this.#hasClients || random.chance(0.5)) subject.leave();
    await server?.destroy();
    for (const subject of this.subjects) subject.leave();
  }
}

abstract class Served extends Live {
  protected readonly home: HocuspocusHome;

  constructor(home: HocuspocusHome, id: string, isAlone: boolean) {
    super(id, isAlone);
    this.home = home;
  }

  /** Again and again, as a client does. */
  abstract open(server: hocuspocus.Server): Promise<void>;
  /** A document in memory is about to be stored. Returns what is to be called once it is. */
  abstract storing(document: Y.Doc): (() => void) | undefined;
  protected abstract left: Promise<unknown> | undefined;
  protected abstract delete(): Promise<void>;

  async reopen(): Promise<void> {
    const { server } = this.home;
    if (!this.isOpen || server === undefined) return;
    this.leave();
    if (random.chance(0.5)) await this.left;
    if (random.chance(0.2) && server === this.home.server) await this.delete();
    if (random.chance(0.3)) await pause(random.below(300));
    await this.open(server);
  }
}

class ServedDocument extends Served {
  #connection: hocuspocus.DirectConnection | undefined;
  protected left: Promise<unknown> | undefined;

  async open(server: hocuspocus.Server): Promise<void> {
    const { names: known } = this.home;
    while (!isOver() && server === this.home.server && !this.isOpen) {
      const look = this.looking();
      try {
        const connection = await noted(server.hocuspocus.openDirectConnection(this.id));
        if (server !== this.home.server || this.isOpen) return void (await connection.disconnect());
        const doc = connection.document as Y.Doc; // it was just opened
        if (!known.has(doc)) look('opened', numbersIn(doc));
        const by = known.get(doc) ?? nextName();
        known.set(doc, by);
        this.#connection = connection;
        this.take(doc, by);
      } catch {
        await pause(20);
      }
    }
  }

  storing(document: Y.Doc): (() => void) | undefined {
    if (this.by !== this.home.names.get(document)) return undefined;
    const answer = this.asking();
    return () => answer('ok');
  }

  override leave(): void {
    super.leave();
    this.left = this.#connection?.disconnect().catch(ignored);
    this.#connection = undefined;
  }

  readonly others = [
    () => this.reopen(),
    () => this.reopen(),
    () => this.clear(),
    () => random.chance(0.3) && this.home.renew(),
  ];

  /** Not while it is being opened: it would have in memory what is deleted. */
  async clear(): Promise<void> {
    if (!this.isOpen) return;
    await this.delete();
    if (random.chance(0.5)) await this.reopen();
  }

  protected async delete(): Promise<void> {
    const { persistence, closing } = this.home;
    if (this.isAlone && persistence !== undefined && closing === 0)
      await this.removeAll(() => persistence.delete(this.id));
  }
}

/** The server has what it says that it has, in its order. It is never deleted: clients would bring it back. */
class ClientDocument extends Served {
  #provider: network.HocuspocusProvider | undefined;
  /** Changes of which the server has not said that it has them. */
  readonly #sent = new Set<number>();
  /** What the client had when its connection ended. */
  #before: Y.Doc | undefined;
  protected left: Promise<unknown> | undefined;

  constructor(home: HocuspocusHome, id: string) {
    super(home, id, false);
  }

  async open(server: hocuspocus.Server): Promise<void> {
    while (!isOver() && server === this.home.server && this.#provider === undefined) {
      if (await this.#connect(server.webSocketURL)) return;
      await pause(20);
    }
  }

  /** Each time by a provider of its own: one that comes back by itself counts some changes twice. Returns whether server and client have the same. */
  #connect(url: string): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const before = random.chance(0.6) ? this.#before : undefined;
    const doc = before ?? new Y.Doc();
    if (before === undefined) this.#sent.clear();
    const look = this.looking();
    const provider: network.HocuspocusProvider = new network.HocuspocusProvider({
      url,
      name: this.id,
      document: doc,
      awareness: null,
      onUnsyncedChanges: ({ number }) => {
        if (number > 0 || provider !== this.#provider) return;
        if (!this.isOpen) {
          if (before === undefined) look('opened', numbersIn(doc));
          this.take(doc, nextName());
        }
        for (const one of this.#sent) this.called(one);
        this.#sent.clear();
        resolve(true);
      },
      onClose: () => {
        resolve(false);
        if (provider !== this.#provider) return;
        const wasOpen = this.isOpen;
        this.leave();
        const { server } = this.home;
        if (wasOpen && server !== undefined) void this.open(server);
      },
    });
    this.#provider = provider;
    this.#ended = () => resolve(false);
    return promise;
  }

  #ended = (): void => undefined;

  override leave(): void {
    const provider = this.#provider;
    this.#provider = undefined;
    this.#before = this.doc ?? this.#before;
    super.leave();
    provider?.destroy();
    this.#ended();
  }

  protected override making(number: number): void {
    this.#sent.add(number);
    this.sent(number);
  }

  storing(document: Y.Doc): () => void {
    const own: [number, Change][] = this.calledOf(numbersIn(document));
    return () => this.keep(own);
  }

  readonly others = [() => this.reopen(), () => random.chance(0.2) && this.home.renew()];

  clear(): Promise<void> {
    return this.reopen();
  }

  protected async delete(): Promise<void> {}
}
