/** All documents of a server: opened for the first who comes, given back after the last has left. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { Document, type Ended, type Guest } from './document.ts';

export interface Database {
  url: string;
  leaseMs: number;
}

/** Who is told what becomes of the documents. */
export interface Listener {
  opened(name: string, clock: number): void;
  ended(name: string, ended: Ended): void;
}

export class Documents {
  readonly #database: Database;
  readonly #listener: Listener;
  readonly #open = new Map<string, Promise<Document>>();
  /** Those that are being given back; who comes meanwhile waits. */
  readonly #closing = new Map<string, Promise<void>>();
  #stopping = false;

  constructor(database: Database, listener: Listener) {
    this.#database = database;
    this.#listener = listener;
  }

  /** Rejects with the provider's error if the document can't be opened, `fenced` if another server has it. */
  async join(name: string, guest: Guest): Promise<Document> {
    for (;;) {
      const document = await this.#opened(name);
      // it may have been given back while this one waited
      if (document.add(guest)) return document;
    }
  }

  #opened(name: string): Promise<Document> {
    if (this.#stopping) return Promise.reject(new Error('the server stops'));
    const there = this.#open.get(name);
    if (there !== undefined) return there;
    const opened = this.#openAfter(name, this.#closing.get(name));
    this.#open.set(name, opened);
    opened.catch(() => this.#open.delete(name));
    return opened;
  }

  async #openAfter(name: string, closed: Promise<void> | undefined): Promise<Document> {
    await closed;
    const { url, leaseMs } = this.#database;
    const provider = new SDS_DesktopPersistenceProvider(url, name, {
      LeaseMs: leaseMs,
      // the lease of a server that was killed has to run out first
      BusyTimeoutMs: 2 * leaseMs,
      // acknowledged means: there after a power cut as well
      Durability: 'full',
    });
    const document = await Document.open(provider, (document) => this.#giveBack(name, document));
    this.#listener.opened(name, document.clock);
    return document;
  }

  #giveBack(name: string, document: Document): void {
    if (this.#closing.has(name)) return;
    this.#open.delete(name);
    const closed = document.close().then((ended) => {
      this.#closing.delete(name);
      this.#listener.ended(name, ended);
    });
    this.#closing.set(name, closed);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      [...this.#open].map(([name, opened]) =>
        opened.then(
          (document) => this.#giveBack(name, document),
          () => undefined, // who wanted it was told
        ),
      ),
    );
    await Promise.all(this.#closing.values());
  }
}
