/** The connection to the server: made when it is needed, and made again when it is lost, for as long as callers want to wait. */
import { cellTime, msSince } from '../../protocol/clock.ts';
import type { PostgresqlSettings } from '../../protocol/service.ts';
import { Promise, pause, performance } from '../../protocol/surroundings.ts';
import { EngineError } from '../engine.ts';
import { endWaiting } from './backend.ts';
import { connect } from './connect.ts';
import type { Connection, Patience } from './connection.ts';
import { mustRegister, notUpdated } from './holder.ts';
import { loadPg } from './load-pg.ts';
import { Passwords } from './password.ts';
import { ServerError } from './sqlstates.ts';

/** Between attempts. The longest is short enough that a server that is back is found within a fraction of a second. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 250;
/** This process registers anew so often at once; after that with pauses, and within `RetryForMs`. */
const MOST_AT_ONCE = 5;
/** To find out whether the server is still there takes no longer than calls wait for it, or this. */
const LEAST_PROBE_MS = 1000;

export class ServerLink {
  readonly passwords = new Passwords();
  readonly patience: Patience;
  readonly #settings: PostgresqlSettings;
  readonly #register: (connection: Connection) => Promise<void>;
  #connection: Connection | undefined;
  /** Those that were made, until they are lost. */
  readonly #made = new Set<Connection>();
  /** What those that are lost have left at the server, until another one has found that it is gone. */
  readonly #left = new Set<string>();
  /** Whether this process has registered over the connection, and may write as far as is known. */
  #isRegistered = false;
  /** When what is carried out now was called, as in `clock.ts`. */
  askedAt = 0;
  /** Since when the server is known to be away. */
  #awaySince: number | undefined;
  /** When and why the last call gave up, if its attempt took long: what was called before that and has waited as long fails with it. */
  #gaveUp: { at: number; error: ServerError } | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #inUse = 0;

  /** @param register - makes this process known over a connection: a new one, or after it was fenced */
  constructor(settings: PostgresqlSettings, register: (connection: Connection) => Promise<void>) {
    const { ConnectTimeoutMs, RetryForMs, LeaseMs } = settings;
    this.#settings = settings;
    this.patience = {
      connectMs: ConnectTimeoutMs,
      retryForMs: RetryForMs,
      probeMs: Math.min(ConnectTimeoutMs, Math.max(RetryForMs, LEAST_PROBE_MS)),
      lockMs: 0,
      full: false,
      idleMs: LeaseMs,
    };
    this.#register = register;
  }

  /** Again, if the connection is lost or the transaction undone: the work has to find out what of an earlier attempt was committed. */
  use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#inTurn(() => this.#tryAgain(work, true));
  }

  /**
   * Does something unless nothing was asked of the server yet, or it is known to be away; `inAnyCase` it connects then, too. What fails,
   * though it was tried over a new connection, is left to others to notice.
   */
  useOnce(work: (connection: Connection) => Promise<unknown>, inAnyCase = false): Promise<void> {
    return this.#inTurn(async () => {
      const mayConnect = inAnyCase || (this.#connection !== undefined && this.#awaySince === undefined);
      if (!mayConnect && !this.isConnected) return;
      await this.#tryAgain(work, false).catch(() => {
        // the lease runs out by itself; a server that does not let this process in is asked no more, whatever its reason
        if (!this.isConnected) this.#noteAway(performance.now());
      });
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#inUse++;
    const result = this.#turn.then(work).finally(() => this.#inUse--);
    this.#turn = result.catch(() => undefined); // told to whoever asked
    return result;
  }

  /** @param isCall - whether a caller waits: else the server is not waited for, and no call fails with this or this with one */
  async #tryAgain<T>(work: (connection: Connection) => Promise<T>, isCall: boolean): Promise<T> {
    const retryForMs = isCall ? this.patience.retryForMs : 0;
    const begunAt = performance.now();
    const askedAt = begunAt - msSince(this.askedAt, cellTime(begunAt));
    // what has waited in the queue while an earlier call waited for the server has waited with it
    const hasWaited = (now: number) => now - Math.max(askedAt, this.#awaySince ?? now);
    const gaveUp = this.#gaveUp;
    const isBehind = gaveUp !== undefined && askedAt <= gaveUp.at;
    if (isCall && isBehind && hasWaited(begunAt) >= retryForMs) throw gaveUp.error;
    let pauseMs = FIRST_PAUSE_MS;
    let fenced = 0;
    /** Whether work went down with its connection, and it is not known yet whether it was committed. */
    let inDoubt = false;
    const failed = (error: EngineError) => (inDoubt ? notFoundOut(error) : error);
    for (;;) {
      const triedAt = performance.now();
      const before = this.#connection;
      let used: Connection | undefined;
      try {
        used = await this.#ready();
        inDoubt = false;
        const result = await work(used);
        this.#awaySince = this.#gaveUp = undefined;
        return result;
      } catch (error) {
        if (!(error instanceof ServerError)) throw failed(EngineError.of(error, 'io-error')); // this call's failure alone
        const now = performance.now();
        const isAway = error.retry === 'reconnect';
        if (isAway) {
          this.#noteAway(used === undefined ? triedAt : now); // one that took no connection was away before
          // one that takes no writes has carried out nothing
          inDoubt ||= used !== undefined && error.code !== 'read-only';
        } else if (mustRegister(error)) {
          this.#isRegistered = false;
          if (++fenced < MOST_AT_ONCE) continue;
        } else if (error.retry === 'no') {
          // the right, or the table, that this lacks may be of no concern to others
          error.mayBeOfSome = used !== undefined && error.code === 'database-busy';
          error.onlyOfSome = used !== undefined && !error.mayBeOfSome;
          // what a lost connection was at may still keep this process's row locked
          const isKeptOut = error.code === 'database-busy' && used === undefined && this.#awaySince !== undefined;
          if (!isKeptOut) throw failed(error);
        }
        const waited = isAway ? hasWaited(now) : now - begunAt;
        // it is not known when it was lost: a new one is tried in any case, unless that was done to find out
        const wasOld = isAway && used !== undefined && used === before && !used.unreachable;
        if (waited >= retryForMs && !wasOld) {
          const wasSlow = now - triedAt >= this.patience.probeMs; // one that refuses at once may be asked again
          if (isAway && isCall) this.#gaveUp = wasSlow ? { at: now, error } : undefined;
          throw failed(mustRegister(error) ? notUpdated() : error);
        }
        // not in step with other processes that wait for the same server
        await pause(pauseMs * (0.5 + Math.random()));
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  /** One that has said nothing was away before that was noticed. */
  #noteAway(noticedAt: number): void {
    this.#connection?.drop();
    this.#awaySince ??= this.#connection?.silentSince ?? noticedAt;
  }

  /** A connection over which this process is known and may write. */
  async #ready(): Promise<Connection> {
    let connection = this.#connection;
    if (connection === undefined || connection.lost) {
      // lost while nothing was asked of it
      if (this.#isRegistered) this.#awaySince ??= performance.now();
      connection = await this.connect();
      this.#connection = connection;
      this.#isRegistered = false;
    }
    try {
      if (!this.#isRegistered) await this.#register(connection);
    } catch (error) {
      if (!mustRegister(error)) connection.drop(); // there may be no room for another one
      throw error;
    }
    this.#isRegistered = true;
    return connection;
  }

  get isConnected(): boolean {
    return this.#connection !== undefined && !this.#connection.lost;
  }

  /** Whether something is under way, or waits for its turn. */
  get isBusy(): boolean {
    return this.#inUse > 0;
  }

  /** Makes another connection, and ends what those have left that were lost. */
  async connect(): Promise<Connection> {
    const { target, searchPaths } = this.#settings;
    const pg = loadPg(searchPaths);
    const { patience } = this;
    const connection = await this.passwords.tryEach(
      (password) => connect(pg, { ...target, password }, patience),
      patience.connectMs,
    );
    await this.endLeft(connection);
    this.#made.add(connection);
    return connection;
  }

  /** Whether something that a lost connection has left was at work when it was looked for. */
  get hasLeft(): boolean {
    return this.#left.size > 0;
  }

  /** Ends what lost connections have left, once it is not at work. */
  async endLeft(connection: Connection): Promise<void> {
    for (const made of this.#made) {
      if (!made.lost) continue;
      this.#made.delete(made);
      if (made.backend !== undefined) this.#left.add(made.backend);
    }
    const left = [...this.#left];
    if (left.length === 0) return;
    // without the right to do so it takes until the server notices by itself
    const atWork = await endWaiting(connection, left).catch(() => []);
    if (connection.lost) return; // the next one does it
    for (const name of left) this.#left.delete(name);
    for (const name of atWork) this.#left.add(name);
  }

  /** Says goodbye. */
  async close(): Promise<void> {
    await this.#connection?.close();
    this.#connection = undefined;
  }
}

/** What keeps it from being found out whether a call was carried out says of others that they are not stored, and of this one nothing. */
function notFoundOut(error: EngineError): EngineError {
  if (error.code === 'connection-failed') return error;
  const message = `the connection was lost in the middle, and the server could not be asked again: ${error.message}`;
  return new EngineError('connection-failed', { ...error.reported, message });
}
