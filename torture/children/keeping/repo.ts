/** Documents of a repo of automerge-repo. */
import { setTimeout as pause } from 'node:timers/promises';
import { type DocHandle, Repo } from '@automerge/automerge-repo';
import { AutomergeRepoStorage } from 'sds-persistence-worker/automerge-repo';
import { automergeIdOf, type Counted, emptyDocument, isWhole, numbersInRepo } from '../../counted-repo.ts';
import { codeOf } from '../../rig.ts';
import { isOver, noted, random } from '../in-trouble.ts';
import { Home, ignored, nextName, nextNumber, options, Subject, tellOfAllIn } from './subject.ts';

/** Between two saves of a document. */
const SAVES_MS = 20;

interface Opened {
  repo: Repo;
  storage: AutomergeRepoStorage;
}

export class RepoHome extends Home<RepoDocument> {
  opened: Opened | undefined;
  #storage: AutomergeRepoStorage | undefined;
  #opening: Promise<unknown>;

  constructor(path: string) {
    super(path);
    this.#opening = this.#open();
  }

  add(id: string, isAlone: boolean): void {
    this.subjects.push(new RepoDocument(this, id, isAlone));
  }

  open(): Promise<unknown> {
    this.#opening = this.#open();
    return this.#opening;
  }

  /** A repo on a database that can't be read ends its process. */
  async #open(): Promise<void> {
    const storage = new AutomergeRepoStorage(this.path, { ...options, onError: tellOfAllIn(this.path) });
    this.#storage = storage;
    while (!isOver()) {
      try {
        await noted(storage.load(['storage-adapter-id']));
        this.opened = { storage, repo: new Repo({ storage, saveDebounceRate: SAVES_MS }) };
        for (const subject of this.subjects) void subject.open(this.opened);
        return;
      } catch {
        await pause(20);
      }
    }
  }

  override async renew(): Promise<void> {
    if (this.opened !== undefined) await super.renew();
  }

  /** Whoever has saved it is told, and nobody else. */
  protected override mayLack(): boolean {
    return true;
  }

  protected async end(): Promise<void> {
    const storage = this.#storage; // another one may be opened at once
    // whatever was not passed to the storage is now: they may be left at once, too
    const flushed = Promise.allSettled(this.subjects.map((subject) => subject.flush()));
    await this.#opening;
    const opened = this.opened?.storage === storage ? this.opened : undefined;
    if (opened !== undefined) this.opened = undefined;
    for (const subject of this.subjects) subject.leave();
    const [outcomes] = await Promise.all([flushed, opened?.repo.shutdown().catch(ignored)]);
    await pause(2 * SAVES_MS); // it may save so long
    await storage?.close();
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }
}

class RepoDocument extends Subject {
  readonly #home: RepoHome;
  readonly #automergeId: ReturnType<typeof automergeIdOf>;
  #handle: DocHandle<Counted> | undefined;
  #repo: Repo | undefined;
  /** Changes that are not passed to the storage. */
  readonly #sent = new Set<number>();
  /** Those of this turn, which are one change of automerge. */
  #next: number[] = [];

  constructor(home: RepoHome, id: string, isAlone: boolean) {
    super(id, isAlone);
    this.#home = home;
    this.#automergeId = automergeIdOf(id);
  }

  get isOpen(): boolean {
    return this.#handle !== undefined;
  }

  leave(): void {
    this.#handle = undefined;
    this.#sent.clear();
  }

  /** A repo that has not found a document finds it never again, so it is looked for before. */
  async open(opened: Opened): Promise<void> {
    const { repo, storage } = opened;
    const documentId = this.#automergeId;
    while (!isOver() && opened === this.#home.opened && !this.isOpen) {
      const look = this.looking();
      try {
        const isThere = (await noted(storage.loadRange([documentId]))).length > 0;
        const handle = isThere
          ? await repo.find<Counted>(documentId) // which never comes back from a load that has failed
          : repo.import<Counted>(emptyDocument(), { docId: documentId });
        if (opened !== this.#home.opened || this.isOpen) return;
        // a chunk that all others need was rejected, and its repo has ended: what is judged is whether that was told
        if (!isWhole(handle.doc())) return;
        // a repo reads snapshots first, and then what another one may have put into one meanwhile
        if (this.isAlone && this.#home.closing === 0) look('found', numbersInRepo(handle.doc()));
        this.by = nextName();
        this.#handle = handle;
        this.#repo = repo;
      } catch {
        await pause(20);
      }
    }
  }

  change(): void {
    if (this.#handle === undefined) return;
    const number = nextNumber();
    this.sent(number);
    this.#next.push(number);
    if (this.#next.length === 1) queueMicrotask(() => this.#make());
  }

  #make(): void {
    const numbers = this.#next.splice(0);
    this.#handle?.change(({ all }) => {
      for (const number of numbers) all[`${number}`] = random.chance(0.02) ? 'x'.repeat(random.below(60_000)) : '';
    });
    if (this.#handle !== undefined) for (const number of numbers) this.#sent.add(number);
  }

  /** Passes to the storage what it lacks. */
  async flush(): Promise<void> {
    if (this.#handle === undefined) return;
    const flushed = noted(this.#repo?.flush([this.#automergeId]) ?? Promise.resolve());
    for (const number of this.#sent) this.called(number);
    this.#sent.clear();
    const answer = this.asking();
    await flushed.then(
      () => answer('ok'),
      (error: unknown) => answer(codeOf(error)),
    );
    await flushed;
  }

  readonly others = [
    () => this.change(),
    () => void this.flush().catch(ignored),
    () => this.flush().catch(ignored),
    () => this.clear(),
    () => random.chance(0.3) && this.#home.renew(),
  ];

  reopen(): Promise<void> {
    return this.#home.renew();
  }

  /** It comes back by the next repo: this one would take what is stored of a new one for stored. */
  async clear(): Promise<void> {
    const { opened } = this.#home;
    if (!this.isAlone || opened === undefined || this.#home.closing > 0) return;
    await this.flush().catch(ignored);
    if (!this.isOpen || opened !== this.#home.opened || this.#home.closing > 0) return;
    opened.repo.delete(this.#automergeId);
    this.leave();
    // the repo tells nobody when it has removed the last part; what is called behind that says it
    const removed = async () => {
      for (let part = 0; part < 3; part++) await opened.storage.removeRange([this.#automergeId]);
    };
    await this.remove(removed);
    await this.#home.renew();
  }
}
