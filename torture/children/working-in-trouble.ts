/** A program in ordinary trouble: makes calls in its style, tells of each what becomes of it, and ends as its life says. */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider, transfer } from 'sds-persistence-worker';
import { numbered, numberOf } from '../../tests/support/sync-engine.ts';
import { codeOf } from '../rig.ts';
import { isOver, life, live, noted, random, say } from './in-trouble.ts';

/** Numbers of each process are its own; those of the first one, which prunes, are below all others. */
const FIRST = life.process * 1e9;
const prunes = life.process === 0;
/** Of each store: a program that nothing slows down has a rest then. */
const MOST_PATCHES = 8000;
let names = 0;
/** Some are under way at the same time. */
let asked = 0;

class Opened {
  readonly name = `p${names++}`;
  readonly provider: SDS_DesktopPersistenceProvider;

  constructor(path: string, id: string) {
    this.provider = new SDS_DesktopPersistenceProvider(path, id, life.options);
  }
}

class Store {
  readonly #path: string;
  readonly #id: string;
  readonly #opened: Opened[];
  readonly #kept = new Set<number>();
  #last = FIRST;
  #lastValue = FIRST;
  readonly #values: number[] = [];

  constructor(path: string, id: string, providers: number) {
    this.#path = path;
    this.#id = id;
    this.#opened = Array.from({ length: providers }, () => new Opened(path, id));
  }

  get isOpen(): boolean {
    return this.#opened.every(({ provider }) => provider.status === 'opening' || provider.status === 'open');
  }

  get isFull(): boolean {
    return this.#last - FIRST >= MOST_PATCHES;
  }

  append(): Promise<void> {
    const opened = random.pick(this.#opened);
    const number = ++this.#last;
    const isLarge = random.chance(0.01);
    const bytes = numbered(number, isLarge ? 130_000 + random.below(100_000) : 8 + random.below(1500));
    const handsOver = isLarge && random.chance(0.3);
    const promise = opened.provider.appendPatch(handsOver ? transfer(bytes) : bytes, number);
    return this.#call(handsOver ? 'over' : 'patch', number, opened, promise, bytes);
  }

  saveSnapshot(number = this.#last): Promise<void> {
    const opened = this.#opened[0] as Opened;
    const bytes = numbered(number, random.chance(0.3) ? 300_000 : 5000);
    return this.#call('snapshot', number, opened, opened.provider.saveSnapshot(bytes, number), bytes);
  }

  prune(before: number): Promise<void> {
    const opened = this.#opened[0] as Opened;
    return this.#call('prune', before, opened, opened.provider.prunePatches(before));
  }

  /** As the sync engine does it: the number is read once more. */
  async checkpoint(): Promise<void> {
    if (!prunes) return;
    await this.saveSnapshot();
    await this.prune(this.#last);
  }

  /** Nothing is waited for. */
  checkpointAtOnce(): void {
    if (!prunes) return;
    const number = this.#last;
    this.saveSnapshot(number).catch(ignored);
    this.prune(number + 1).catch(ignored);
  }

  /** A new one, or one less. */
  value(): Promise<void> {
    const opened = random.pick(this.#opened);
    const number = random.chance(0.3) ? this.#values.pop() : undefined;
    if (number !== undefined)
      return this.#call('release', number, opened, opened.provider.releaseValue(this.#hash(number)));
    const next = ++this.#lastValue;
    this.#values.push(next);
    const bytes = numbered(next, random.chance(0.1) ? 200_000 : 3000);
    return this.#call('value', next, opened, opened.provider.saveValue(this.#hash(next), bytes), bytes);
  }

  #hash(number: number): string {
    return `${this.#id}:${number}`;
  }

  #call(kind: string, number: number, { name }: Opened, promise: Promise<void>, bytes?: Uint8Array): Promise<void> {
    const what = `${kind} ${this.#id} ${number}`;
    say(`called ${what} ${name}`);
    noted(promise).catch((error: unknown) => say(`failed ${what} ${codeOf(error)}`));
    if (life.listens) {
      promise.then(() => {
        if (kind === 'patch' || kind === 'over') this.#kept.add(number);
        say(`kept ${what}`);
      }, ignored);
    }
    if (random.chance(0.5) && bytes?.length) bytes.fill(0xee); // of what was handed over nothing is left
    return promise;
  }

  /** A read sees what was acknowledged before it. */
  async load(): Promise<void> {
    const least = [...this.#kept];
    const { Snapshot, Patches } = await noted(random.pick(this.#opened).provider.loadStore());
    const pruned = Snapshot === undefined ? 0 : numberOf(Snapshot);
    const there = new Set(Patches.map(numberOf));
    const missing = least.filter((number) => number > pruned && !there.has(number));
    if (missing.length > 0) say(`wrong: ${this.#id} is loaded without ${missing.length} patches, as ${missing[0]}`);
  }

  flush(): Promise<void> {
    const { name, provider } = random.pick(this.#opened);
    return this.#ask(name, () => provider.flush());
  }

  flushSync(): void {
    const { name, provider } = random.pick(this.#opened);
    const what = `${this.#id} ${name} ${asked++}`;
    say(`asked ${what}`);
    say(`answered ${what} ${provider.flushSync(random.below(300)) ? 'ok' : 'no'}`);
  }

  async #ask(name: string, call: () => Promise<void>): Promise<void> {
    const what = `${this.#id} ${name} ${asked++}`;
    say(`asked ${what}`);
    await noted(call()).then(
      () => say(`answered ${what} ok`),
      (error: unknown) => say(`answered ${what} ${codeOf(error)}`),
    );
  }

  /** The next one may be opened before this one is closed. */
  async reopen(): Promise<void> {
    const index = random.below(this.#opened.length);
    const { name, provider } = this.#opened[index] as Opened;
    const closed = this.#ask(name, () => provider.close());
    if (random.chance(0.5)) await closed;
    this.#opened[index] = new Opened(this.#path, this.#id);
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.map(({ name, provider }) => this.#ask(name, () => provider.close())));
  }
}

const ignored = () => undefined;
const someTime = () => (random.chance(0.6) ? nextTurn() : pause(random.below(4)));
const burst = (store: Store) => Array.from({ length: 1 + random.below(200) }, () => store.append());

const styles: Record<string, (store: Store, step: number) => Promise<unknown>> = {
  async awaited(store, step) {
    await store.append();
    if (step % 15 === 0) await store.checkpoint();
  },
  async caught(store, step) {
    store.append().catch(ignored);
    if (step % 40 === 0) store.checkpointAtOnce();
    await someTime();
  },
  async bursts(store, step) {
    for (const promise of burst(store)) promise.catch(ignored);
    if (step % 3 === 0) store.checkpointAtOnce();
    await pause(random.below(40));
  },
  async 'awaited bursts'(store, step) {
    await Promise.all(burst(store));
    if (step % 3 === 0) await store.checkpoint();
    await someTime();
  },
  async engine(store, step) {
    for (let i = random.below(4); i >= 0; i--) store.append().catch(ignored);
    if (step % 20 === 0) store.checkpoint().catch(ignored);
    await someTime();
  },
  async tools(store) {
    store.append().catch(ignored);
    if (prunes) await store.saveSnapshot();
    await store.reopen();
  },
};

const others: ((store: Store) => unknown)[] = [
  (store) => store.value(),
  (store) => store.value(),
  (store) => store.value().catch(ignored),
  (store) => void store.flush(),
  (store) => store.flush(),
  (store) => store.flushSync(),
  (store) => store.load(),
  (store) => void store.load().catch(ignored),
  (store) => store.reopen(),
];

async function work(store: Store): Promise<void> {
  for (let step = 1; !isOver(); step++) {
    try {
      if (store.isFull) await pause(20);
      else await styles[life.style]?.(store, step);
      if (random.chance(0.05)) await random.pick(others)(store);
    } catch {
      // it was told; a program whose calls fail at once waits a bit
      await pause(5);
    }
  }
}

const stores = life.stores.map(({ path, id, providers }) => new Store(path, id, providers));
live({
  work: () => Promise.all(stores.map(work)),
  close: () => Promise.all(stores.map((store) => store.close())),
  /** Not where one of them may be refused, which nobody would hear of. */
  lastCalls() {
    if (life.options.Overflow === 'reject') return;
    for (const store of stores) if (store.isOpen) store.append().catch(ignored);
  },
});
