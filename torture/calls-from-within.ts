/**
 * Foreign code at every place where this package runs any makes random calls itself: subscribers of every channel,
 * `OnProgress`, listeners of an AbortSignal, getters of options, what is given to `transfer`, warnings. Whatever it calls
 * takes effect after the call within which it runs; answers and rows are those of the model, and nothing hangs.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { join } from 'node:path';
import {
  backupDatabase,
  describeDatabase,
  SDS_DesktopPersistenceProvider,
  type SDS_ProviderOptions,
  transfer,
} from 'sds-persistence-worker';
import { channelNames } from '../tests/support/channels.ts';
import { differenceOf, rowsIn } from './database-rows.ts';
import { livingWorkers, noticedWorkers } from './living-workers.ts';
import { type Answer, answerOf, type Call, isLoad, Model } from './model.ts';
import { perform } from './perform.ts';
import { Random } from './random.ts';
import { codeOf, type RigContext, scaled, withFolder, within } from './rig.ts';

const CALLS = 150;
/** How many calls foreign code makes in one round, so that its calls, which bring about more, come to an end. */
const MOST_FROM_WITHIN = 300;
const DEEPEST = 3;

const stores = [
  { file: 0, store: 'one' },
  { file: 0, store: 'one' },
  { file: 0, store: 'two' },
  { file: 1, store: 'one' },
] as const;

interface Made {
  call: Call;
  found: Promise<unknown>;
  wanted: Answer;
}

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  const rounds = scaled(400, scale, 4);
  for (let index = 0; index < rounds; index++) {
    const round = new Round(seed + index, (what) => report.count(what));
    const wrong = await withFolder((folder) => within(60_000, `round ${index}`, round.run(folder)));
    for (const what of wrong) report.violation(`seed ${seed + index}: ${what}`);
    report.count('calls', round.made.length);
    report.count('of these from within', round.fromWithin);
  }
}

class Round {
  readonly made: Made[] = [];
  fromWithin = 0;
  readonly #random: Random;
  readonly #count: (what: string) => void;
  readonly #models = [new Model(), new Model()] as const;
  #paths: string[] = [];
  #providers: SDS_DesktopPersistenceProvider[] = [];
  readonly #others: Promise<unknown>[] = [];
  #depth = 0;
  #over = false;
  /** Whether threads are lost in this round: then loads of a blocked thread may have no answer. */
  #loses = false;
  #losses = 0;

  constructor(seed: number, count: (what: string) => void) {
    this.#random = new Random(seed);
    this.#count = count;
  }

  async run(folder: string): Promise<string[]> {
    const random = this.#random;
    this.#paths = ['a.db', 'b.db'].map((name) => join(folder, name));
    this.#loses = random.chance(0.2);
    const end = this.#meddle();
    try {
      for (const index of stores.keys()) this.#providers.push(this.#open(index));
      for (let i = 0; i < CALLS; i++) {
        this.#call();
        if (random.chance(0.1)) await this.#pause();
        if (random.chance(0.02)) this.#reopen();
        if (random.chance(0.02)) this.#operate(folder, i);
        if (this.#loses && random.chance(0.01)) this.#lose();
      }
      this.#over = true;
      for (const provider of this.#providers) this.#others.push(provider.close());
      await Promise.all(this.#others);
      return await this.#compare();
    } finally {
      this.#over = true;
      end();
    }
  }

  // ---- calls ------------------------------------------------------------------------------------

  #call(): void {
    const random = this.#random;
    const index = random.below(stores.length);
    const { file, store } = stores[index] as (typeof stores)[number]; // below the length
    const call = this.#randomCall();
    const given = 'bytes' in call ? { ...call, bytes: this.#given(call.bytes) } : call;
    const provider = this.#providers[index];
    if (provider === undefined) return; // called while the first ones are being made
    // the model first: what this call brings about comes after it
    const wanted = this.#models[file].apply(store, call);
    const found = perform(provider, given).catch(codeOf);
    this.made.push({ call, found, wanted });
    // what was given is the caller's own again
    if ('bytes' in given && given.bytes.byteLength > 0 && random.chance(0.5)) given.bytes.fill(0xee);
  }

  #randomCall(): Call {
    const random = this.#random;
    const clock = random.below(40);
    const hash = random.pick(['a', 'b', 'c']);
    const size = random.chance(0.08) ? random.pick([3000, 66_000, 131_073, 300_000]) : random.below(20);
    const bytes = random.longBytes(size);
    const kind = random.below(16);
    if (kind < 8) return { kind: 'appendPatch', clock, bytes };
    // of a snapshot with a number prunes would keep what was called while it was on its way
    if (kind === 8) return { kind: 'saveSnapshot', clock: 0, bytes };
    if (kind === 9) return { kind: 'prunePatches', clock };
    if (kind < 12) return { kind: 'saveValue', hash, bytes };
    if (kind === 12) return { kind: 'releaseValue', hash };
    if (kind === 13) return { kind: 'loadPatchesSince', clock };
    return kind === 14 ? { kind: 'loadValue', hash } : { kind: 'loadSnapshot' };
  }

  /** A copy, perhaps handed over, by a list that calls whenever it is looked at. */
  #given(bytes: Uint8Array): Uint8Array {
    const own = new Uint8Array(bytes);
    if (this.#loses || this.#random.chance(0.7)) return own;
    const list: unknown[] = [];
    Object.defineProperty(list, 0, { enumerable: true, get: () => this.#within('transferables', own.buffer) });
    return transfer(own, list);
  }

  #open(index: number): SDS_DesktopPersistenceProvider {
    const { file, store } = stores[index] as (typeof stores)[number];
    const within = <T>(value: T) => this.#within('options', value);
    const options: SDS_ProviderOptions = {
      get MaxPendingBytes() {
        return within(index === 1 ? 100_000 : 64 * 1024 * 1024);
      },
      get BusyTimeoutMs() {
        return within(30_000);
      },
      OnClockCollision: 'ignore',
      Acknowledge: this.#random.pick(['queued', 'committed']),
    };
    return new SDS_DesktopPersistenceProvider(this.#paths[file] as string, store, options);
  }

  #reopen(): void {
    const index = this.#random.below(stores.length);
    const provider = this.#providers[index];
    if (provider === undefined) return;
    // until the new one is there, calls go to another provider of the same store, or of the same file
    const next = this.#open(index);
    const old = this.#providers[index] ?? provider;
    this.#providers[index] = next;
    this.#others.push(old.close());
  }

  /** An operation beside it, whose callbacks call as well. */
  #operate(folder: string, index: number): void {
    const control = new AbortController();
    control.signal.addEventListener('abort', () => this.#within('an abort listener', undefined));
    const within = <T>(value: T) => this.#within('options of an operation', value);
    const options = {
      get Signal() {
        return within(control.signal);
      },
      OnProgress: () => {
        this.#within('OnProgress', undefined);
        if (this.#random.chance(0.1)) control.abort();
      },
    };
    const [path] = this.#paths as [string];
    const operation = this.#random.chance(0.7)
      ? backupDatabase(path, join(folder, `backup ${index}.db`), options)
      : describeDatabase(path, options);
    // one that begins before the file is there, and one that was stopped, may fail
    this.#others.push(operation.catch(() => undefined));
  }

  #lose(): void {
    if (++this.#losses > 3) return; // more without progress between them, and they are given up
    for (const worker of noticedWorkers) if (livingWorkers.has(worker)) this.#others.push(worker.terminate());
    this.#count('threads lost');
  }

  async #pause(): Promise<void> {
    const kind = this.#random.below(4);
    if (kind === 0) await Promise.resolve();
    else if (kind === 1) await new Promise(setImmediate);
    else if (kind === 2) await this.made.at(-1)?.found;
    else this.#providers[this.#random.below(stores.length)]?.flushSync();
  }

  // ---- foreign code -----------------------------------------------------------------------------

  /** Runs where foreign code runs; returns `value`. */
  #within<T>(where: string, value: T): T {
    const random = this.#random;
    if (this.#over || this.#depth >= DEEPEST || this.fromWithin >= MOST_FROM_WITHIN || !random.chance(0.4))
      return value;
    this.#depth++;
    try {
      this.#count(`from ${where}`);
      for (let times = 1 + random.below(2); times > 0; times--) {
        this.fromWithin++;
        this.#call();
      }
      if (random.chance(0.05)) this.#providers[random.below(stores.length)]?.flushSync();
      if (random.chance(0.03)) this.#providers[random.below(stores.length)]?.statistics();
      if (random.chance(0.02)) this.#reopen();
    } finally {
      this.#depth--;
    }
    return value;
  }

  /** Puts foreign code wherever it can be; returns what takes it away. */
  #meddle(): () => void {
    const random = this.#random;
    const names = channelNames();
    const listener = (context: unknown, name: string | symbol) => {
      this.#within(String(name).replace(/^(tracing:)?sds-persistence:/, ''), undefined);
      if (random.chance(0.05)) Object.freeze(context);
    };
    for (const name of names) subscribe(name, listener);
    const { emitWarning } = process;
    process.emitWarning = () => this.#within('emitWarning', undefined);
    return () => {
      process.emitWarning = emitWarning;
      for (const name of names) unsubscribe(name, listener);
    };
  }

  // ---- what came of it --------------------------------------------------------------------------

  async #compare(): Promise<string[]> {
    const wrong: string[] = [];
    const short = (value: unknown) => String(JSON.stringify(value)).slice(0, 100);
    for (const [index, { call, found, wanted }] of this.made.entries()) {
      const answer = await found;
      if (this.#loses && answer === 'worker-lost' && isLoad(call)) continue;
      if (short(answerOf(answer)) !== short(wanted)) {
        wrong.push(`call ${index}, ${call.kind}: ${short(answerOf(answer))}, not ${short(wanted)}`);
      }
    }
    for (const [file, model] of this.#models.entries()) {
      const difference = differenceOf(rowsIn(this.#paths[file] as string), model.rows());
      if (difference !== undefined) wrong.push(`rows of file ${file}: ${difference}`);
    }
    return wrong.slice(0, 3);
  }
}
