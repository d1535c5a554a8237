/** What uses one document of a program in ordinary trouble, and what keeps the documents of one database. */
import { namedByAdapters } from '../../another-keeper.ts';
import { LASTING } from '../../numbered-changes.ts';
import { codeOf } from '../../rig.ts';
import { isOver, life, noted, random, say } from '../in-trouble.ts';

/** Of each document: a program that nothing slows down has a rest then. */
const MOST_CHANGES = 3000;
export const ignored = () => undefined;
/** Numbers of each process are its own. */
let last = life.process * 1e9;
let names = 0;
let asked = 0;
/** Deletions under way: whoever opened a document meanwhile might have it in memory. */
let removing = 0;
let isGivenUp = false;
/** Of which documents a failure was told that no promise tells. */
const toldOf = new Set<string>();
export const onError = (error: Error, id: string) => {
  toldOf.add(id);
  isGivenUp ||= LASTING.includes(codeOf(error));
  say(`told ${id} ${codeOf(error)}`);
};
/** Of a storage of automerge-repo: all that is called after a failure waits as well, and nobody is told of that. */
export const tellOfAllIn = (path: string) => (error: Error) => {
  for (const store of life.stores) if (store.path === path) onError(error, store.id);
};
export const options = namedByAdapters(life.options);

export const nextNumber = () => ++last;
export const nextName = () => `live-${names++}`;
export const isTold = (id: string) => toldOf.has(id);
export const isAnyGivenUp = () => isGivenUp;

/** One change, as it was called last. */
export interface Change {
  by: string;
  state: 'called' | 'kept' | 'rejected' | 'removing' | 'gone';
}

/** What uses one document. */
export abstract class Subject {
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

  /** What is on its way to whoever stores it: it may be stored, which nobody has promised. */
  protected sent(number: number): void {
    say(`sent patch ${this.id} ${number} ${this.by}`);
  }

  /** Those of some changes that are called, and not known to be stored. */
  protected calledOf(numbers: ReadonlySet<number>): [number, Change][] {
    return [...this.#changes].filter(([number, { state }]) => state === 'called' && numbers.has(number));
  }

  /** They are stored. */
  protected keep(changes: readonly [number, Change][]): void {
    for (const [number, change] of changes) {
      if (change.state !== 'called') continue;
      change.state = 'kept';
      say(`kept patch ${this.id} ${number}`);
    }
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
    const number = nextNumber();
    const change = this.called(number, '-');
    const isKept = await this.#isKept(`patch ${this.id} ${number}`, call(number));
    if (change.state === 'called') change.state = isKept ? 'kept' : 'rejected';
  }

  /** @param only - the one that is removed; else all */
  protected async remove(call: () => Promise<unknown>, only?: number): Promise<void> {
    const own = [...this.#changes].flatMap(([number, one]) => (number === (only ?? number) ? [one] : []));
    for (const one of own) one.state = 'removing';
    const what = `${only === undefined ? 'prune' : 'release'} ${this.id} ${only ?? nextNumber()}`;
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
export abstract class Home<Used extends Subject> {
  readonly subjects: Used[] = [];
  protected readonly path: string;
  /** Some of it may be closed: that may store yet what is deleted meanwhile, or fail to do so. */
  closing = 0;
  #ending: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.path = path;
  }

  /** Whether something of a document may not be stored if its end fails. */
  protected mayLack(id: string): boolean {
    return toldOf.has(id);
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
    for (const [id, answer] of answers) answer(this.mayLack(id) ? outcome : 'ok');
  }

  async renew(): Promise<void> {
    if (this.closing > 0 || removing > 0) return;
    const closed = this.close().then(() => this.closing--);
    for (const subject of this.subjects) subject.leave();
    if (random.chance(0.5)) await closed;
    if (!isOver()) await this.open();
  }
}
