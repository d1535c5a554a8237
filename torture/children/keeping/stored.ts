/** Documents that are stored change by change. */
import { AutomergeRepoStorage } from 'sds-persistence-worker/automerge-repo';
import { MergedDocuments } from 'sds-persistence-worker/merged-documents';
import { numbersOf } from '../../numbered-changes.ts';
import { noted, random } from '../in-trouble.ts';
import { Home, ignored, onError, options, Subject, tellOfAllIn } from './subject.ts';

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

export function mergedIn(path: string): Storage {
  const merge = new URL('../merging-texts.ts', import.meta.url);
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

export function automergeIn(path: string): Storage {
  const storage = new AutomergeRepoStorage(path, { ...options, ...(repeats ? { onError: tellOfAllIn(path) } : {}) });
  const keyOf = (id: string, number: number) => [id, number % 3 === 0 ? 'snapshot' : 'incremental', `${number}`];
  return {
    append: (id, number) => called(number, (bytes) => storage.save(keyOf(id, number), bytes)),
    load: async (id) => new Set((await storage.loadRange([id])).flatMap(({ data }) => numbersOf(data))),
    remove: (id) => storage.removeRange([id]),
    removeOne: (id, number) => storage.remove(keyOf(id, number)),
    close: () => storage.close(),
  };
}

export class StoredHome extends Home<StoredDocument> {
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
