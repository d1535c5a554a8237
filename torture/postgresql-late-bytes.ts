/**
 * What a connection had sent when it was cut is kept, and arrives at a random later time: after others were made, after
 * providers were closed and made again, after another process has taken the store over. None of it may change
 * anything: answers and rows are those of the calls that were acknowledged, each once.
 */
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import type { Engine } from '../tests/support/engine.ts';
import type { PostgresqlAddress } from '../tests/support/postgresql-address.ts';
import { databaseOf, databasesOn } from '../tests/support/postgresql-engine.ts';
import { linesOf } from '../tests/support/rows.ts';
import { type Late, TcpProxy } from '../tests/support/tcp-proxy.ts';
import { differenceOf } from './database-rows.ts';
import { withServer } from './engines.ts';
import { answerOf, type Call, Model } from './model.ts';
import { OtherProcess } from './other-process.ts';
import { perform } from './perform.ts';
import { Random } from './random.ts';
import { codeOf, type Report, type RigContext, scaled, within } from './rig.ts';

const STORES = ['one', 'two', 'three'];
const ROUNDS_PER_PLACE = 20;
/** A small slice has both kinds of places, with fewer rounds. */
const SMALL_SLICE = 0.02;
const PATIENCE_MS = 60_000;

/** The server waits for the rest of a request, with all its locks, and notices by itself after some seconds if it will not come. */
const MOST_HALVED_MS = 3000;

/** The outcome of every call is compared. What a cut leaves on the server, half a transaction and its locks, is over after a lease. */
const options: SDS_ProviderOptions = {
  Acknowledge: 'committed',
  OnClockCollision: 'ignore',
  LeaseMs: 1500,
  BusyTimeoutMs: 30_000,
  RetryForMs: 60_000,
};
/** Nobody takes over from this one, however busy the machine is. */
const lasting: SDS_ProviderOptions = { ...options, LeaseMs: 60_000 };

export async function run(context: RigContext): Promise<void> {
  await withServer(context.report, (server) => runOn(server, databasesOn(server), context));
}

export async function runOn(
  server: PostgresqlAddress,
  engine: Engine,
  { seed, scale, report }: RigContext,
): Promise<void> {
  const random = new Random(seed);
  const places = scaled(100, scale, 2);
  const rounds = scale < SMALL_SLICE ? ROUNDS_PER_PLACE / 2 : ROUNDS_PER_PLACE;
  for (let number = 0; number < places; number++) {
    const place = await engine.freshPlace();
    const mayEnd = number % 2 === 0;
    const right = 'EXECUTE ON FUNCTION pg_terminate_backend';
    if (!mayEnd) await server.query(`REVOKE ${right} FROM PUBLIC`, [], databaseOf(place));
    const scene = await Scene.begin(server, engine, place, random, report, mayEnd);
    try {
      for (let round = 0; round < rounds; round++) {
        await within(PATIENCE_MS * 2, `seed ${seed}, place ${number}, round ${round}`, scene.round());
        await scene.judge(`seed ${seed}, place ${number}, round ${round}`);
      }
      await scene.deliver(Number.POSITIVE_INFINITY);
      await scene.judge(`seed ${seed}, place ${number}, when all has arrived`);
    } finally {
      await scene.end();
      if (!mayEnd) await server.query(`GRANT ${right} TO PUBLIC`, [], databaseOf(place));
      await engine.discard(place);
    }
  }
}

interface Made {
  store: string;
  call: Call;
  outcome: Promise<unknown>;
  /** Whether its store was taken over, so that it may have been refused. */
  mayBeFenced: () => boolean;
}

class Scene {
  readonly #engine: Engine;
  readonly #place: string;
  readonly #random: Random;
  readonly #report: Report;
  readonly #model = new Model();
  readonly #proxy: TcpProxy;
  readonly #url: string;
  readonly #other = new OtherProcess();
  /** This process's providers, and the stores that are the other's. */
  readonly #mine = new Map<string, SDS_DesktopPersistenceProvider>();
  readonly #theirs = new Set<string>();
  #made: Made[] = [];
  readonly #lates: Late[] = [];
  /** Whether a connection may end what the one before has left at the server: then half a request holds up nobody, and a whole one comes to nobody. */
  readonly #mayEnd: boolean;

  private constructor(
    engine: Engine,
    place: string,
    random: Random,
    report: Report,
    proxy: TcpProxy,
    url: string,
    mayEnd: boolean,
  ) {
    this.#mayEnd = mayEnd;
    this.#engine = engine;
    this.#place = place;
    this.#random = random;
    this.#report = report;
    this.#proxy = proxy;
    this.#url = url;
    for (const store of STORES) this.#open(store);
  }

  static async begin(
    server: PostgresqlAddress,
    engine: Engine,
    place: string,
    random: Random,
    report: Report,
    mayEnd: boolean,
  ) {
    const proxy = await TcpProxy.listen(server.port, server.host);
    const url = server.url(databaseOf(place), { port: proxy.port });
    return new Scene(engine, place, random, report, proxy, url, mayEnd);
  }

  /** Some calls, of which a connection is lost with what it has sent; then something becomes of the stores, and of what was lost before. */
  async round(): Promise<void> {
    const random = this.#random;
    const kept = random.chance(0.7) ? this.#lose() : undefined;
    for (let left = random.below(12); left > 0; left--) {
      this.#call();
      if (random.chance(0.2)) await new Promise(setImmediate);
    }
    if (random.chance(0.4)) await this.#settled();
    const change = random.below(10);
    if (change > 5) {
      // of what is lost while a store changes hands, the other process would have to wait for the end
      await this.#settled();
      this.#proxy.spare();
    }
    if (change < 4) await this.#reopenAll();
    else if (change < 6) await this.#reopenOne();
    else if (change < 8) await this.#handOver();
    else if (change < 9) await this.#takenOver();
    if (random.chance(0.5)) for (let left = random.below(5); left > 0; left--) this.#call();
    await this.#settled();
    this.#proxy.spare();
    await kept;
    await this.deliver(random.chance(0.5) ? 0 : 1 + random.below(3));
  }

  /** What a connection sends from some byte on is kept, and it is cut soon after; resolves once it is, or if that is taken back. */
  async #lose(): Promise<void> {
    const [delay, rest] = [this.#random.below(15), this.#random.next() ** 2 * MOST_HALVED_MS];
    const whole = !this.#mayEnd || this.#random.chance(0.7);
    const late = await this.#proxy.keepAfter(Math.floor(this.#random.next() ** 3 * 30_000), whole);
    if (late === undefined) return;
    await new Promise((resolve) => setTimeout(resolve, delay));
    late.cut();
    this.#report.count(`connections cut ${whole ? 'before' : 'within'} a request`);
    if (whole) this.#lates.push(late);
    else void new Promise((resolve) => setTimeout(resolve, rest)).then(() => late.deliver());
  }

  /** Of what was kept, this or that arrives. */
  async deliver(most: number): Promise<void> {
    for (let left = Math.min(most, this.#lates.length); left > 0; left--) {
      const [late] = this.#lates.splice(this.#random.below(this.#lates.length), 1);
      await within(PATIENCE_MS, 'what comes late', late?.deliver() ?? Promise.resolve());
      this.#report.count('times that what was sent has arrived late');
    }
  }

  // ---- what becomes of the stores ----------------------------------------------------------------

  #open(store: string): SDS_DesktopPersistenceProvider {
    const provider = new SDS_DesktopPersistenceProvider(this.#url, store, options);
    this.#mine.set(store, provider);
    return provider;
  }

  /** All are closed, and made again before or after that is done: the new ones may join what is being closed. */
  async #reopenAll(): Promise<void> {
    const random = this.#random;
    const stores = [...this.#mine.keys()];
    const joins = random.chance(0.7);
    if (joins) this.#proxy.answerMs = 20;
    const leaves = this.#proxy.passes('DELETE FROM sds_holders WHERE session');
    const closed = Promise.all([...this.#mine.values()].map((provider) => provider.close()));
    await (joins ? Promise.race([leaves, closed]) : closed);
    for (const store of stores) this.#open(store);
    await closed;
    this.#proxy.answerMs = 0;
    this.#report.count(
      `times that all providers were made again ${joins ? 'while they were closed' : 'once they were closed'}`,
    );
    for (let left = random.below(4); left > 0; left--) this.#call();
    await this.#settled();
    await this.deliver(random.below(3));
  }

  async #reopenOne(): Promise<void> {
    if (this.#mine.size === 0) return;
    const [store, provider] = this.#random.pick([...this.#mine]);
    const closed = provider.close();
    if (this.#random.chance(0.5)) await closed;
    this.#open(store);
    await closed;
  }

  /** To the other process, or back: what was called before is settled. */
  async #handOver(): Promise<void> {
    const store = this.#random.pick(STORES);
    await this.#settled();
    if (this.#theirs.has(store)) {
      await this.#ask(store, 'close');
      this.#theirs.delete(store);
      await this.#open(store).ready();
    } else {
      await this.#mine.get(store)?.close();
      this.#mine.delete(store);
      await this.#ask(store, 'open');
      this.#theirs.add(store);
      this.#callTheirs(store);
    }
    this.#report.count('stores handed over');
  }

  /** This process is cut off for longer than its lease, and the other one takes a store. */
  async #takenOver(): Promise<void> {
    if (this.#mine.size === 0) return;
    const [store, provider] = this.#random.pick([...this.#mine]);
    const isTaken = { yes: true };
    for (let left = 1 + this.#random.below(4); left > 0; left--) this.#call();
    for (const made of this.#made) if (made.store === store) made.mayBeFenced = () => isTaken.yes;
    this.#proxy.pause();
    try {
      await this.#ask(store, 'open');
    } finally {
      this.#proxy.resume();
    }
    this.#mine.delete(store);
    // what it is called now is refused, whatever it believes
    const call = this.#random.pick<Call>([
      { kind: 'appendPatch', clock: 1, bytes: Buffer.from('of one that was fenced') },
      { kind: 'saveSnapshot', clock: 0, bytes: Buffer.from('of one that was fenced') },
    ]);
    this.#note(store, call, perform(provider, call), () => true);
    await provider.close();
    this.#theirs.add(store);
    this.#callTheirs(store);
    this.#report.count('stores taken over');
  }

  async #ask(store: string, what: 'open' | 'close'): Promise<void> {
    const answer = await within(
      PATIENCE_MS,
      `${what} by the other`,
      this.#other.request(this.#place, store, what, lasting),
    );
    if (answer !== undefined) throw new Error(`the other process: ${what} of store ${store}: ${String(answer)}`);
  }

  // ---- calls -------------------------------------------------------------------------------------

  #call(): void {
    if (this.#mine.size === 0) return;
    const [store, provider] = this.#random.pick([...this.#mine]);
    const call = this.#anyCall(store);
    this.#note(store, call, perform(provider, call));
  }

  #callTheirs(store: string): void {
    for (let left = 1 + this.#random.below(4); left > 0; left--) {
      const call = this.#anyCall(store);
      const answered = this.#other.request(this.#place, store, call).then((answer) => {
        if (typeof answer === 'string') throw new Error(answer);
        return answer;
      });
      this.#note(store, call, answered);
    }
  }

  #note(store: string, call: Call, outcome: Promise<unknown>, mayBeFenced = () => false): void {
    outcome.catch(() => undefined); // judged later
    this.#made.push({ store, call, outcome, mayBeFenced });
  }

  #anyCall(store: string): Call {
    const random = this.#random;
    const clock = random.below(60) + 1;
    const bytes = random.longBytes(random.chance(0.03) ? 130_000 + random.below(300_000) : random.below(200));
    // those of a store are its own: so only its calls count, in their order
    const hash = `${store} ${random.below(3)}`;
    const value = Buffer.from(hash);
    const kind = random.below(100);
    if (kind < 45) return { kind: 'appendPatch', clock, bytes };
    // with no number: else a prune that is called while it is on its way leaves patches alone
    if (kind < 55) return { kind: 'saveSnapshot', clock: 0, bytes };
    if (kind < 62) return { kind: 'prunePatches', clock };
    if (kind < 80) return { kind: 'saveValue', hash, bytes: value };
    if (kind < 88) return { kind: 'releaseValue', hash };
    if (kind < 92) return { kind: 'loadValue', hash };
    if (kind < 96) return { kind: 'loadSnapshot' };
    return { kind: 'loadPatchesSince', clock };
  }

  async #settled(): Promise<void> {
    await within(PATIENCE_MS, 'settling', Promise.allSettled(this.#made.map(({ outcome }) => outcome)));
  }

  /** Replays what was acknowledged, in call order, and compares answers and rows. */
  async judge(where: string): Promise<void> {
    const report = this.#report;
    const made = this.#made;
    this.#made = [];
    for (const { store, call, outcome, mayBeFenced } of made) {
      report.count('calls');
      const [found] = await Promise.allSettled([outcome]);
      if (found.status === 'rejected') {
        const code = codeOf(found.reason);
        report.count(`rejected with ${code}`);
        if (code !== 'fenced' || !mayBeFenced())
          report.violation(`${where}: ${call.kind} of store ${store} rejected: ${String(found.reason)}`);
        continue;
      }
      const wanted = JSON.stringify(this.#model.apply(store, call));
      const answer = JSON.stringify(answerOf(found.value));
      if (answer !== wanted) report.violation(`${where}: ${call.kind} of store ${store} answered otherwise`);
    }
    const difference = differenceOf(linesOf(await this.#engine.rowsOf(this.#place)), this.#model.rows());
    if (difference !== undefined) report.violation(`${where}: other rows: ${difference}`);
    report.count('comparisons of all rows');
  }

  async end(): Promise<void> {
    this.#proxy.spare();
    const theirs = [...this.#theirs].map((store) => this.#ask(store, 'close'));
    const mine = [...this.#mine.values()].map((provider) => provider.close());
    await within(PATIENCE_MS, 'close', Promise.allSettled([...mine, ...theirs]));
    this.#other.end();
    await this.#proxy.close();
  }
}
