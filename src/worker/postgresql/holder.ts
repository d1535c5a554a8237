/**
 * What this process is to the others: a row of `sds_holders`. What a connection sends changes something only while the row bears that
 * connection's incarnation and nobody has fenced it: see docs/architecture-postgresql.md. Whoever registers waits for a transaction that
 * has come to its fence, which locks the row.
 *
 * | word        | what it is                                                                       | ends                                    |
 * | ----------- | -------------------------------------------------------------------------------- | --------------------------------------- |
 * | owner       | a process; all it has open is one owner's, whatever URLs it used                 | with the process                        |
 * | session     | a queue of that process: the same for a worker and its successors                | with its last provider                  |
 * | generation  | counts the rows of a session: each after the first one since that one was fenced | when it is fenced                       |
 * | incarnation | a connection that has registered, by a random name                               | when another one registers, or cuts off |
 */
import { randomUUID } from 'node:crypto';
import { reached } from '../../protocol/control.ts';
import { performance } from '../../protocol/surroundings.ts';
import { type CommitPoint, EngineError } from '../engine.ts';
import type { Connection, Result, Statement } from './connection.ts';
import { ServerError } from './sqlstates.ts';
import { transact } from './transactions.ts';

/** Where a series of batches is: what of it was committed last. */
export type Mark = Pick<CommitPoint, 'number' | 'part'>;

/** Removes what is left of others that were not heard of for a week, unless somebody has locked it. */
const FORGETTING: Statement = {
  text:
    'DELETE FROM sds_holders WHERE (session, generation) IN (SELECT session, generation FROM sds_holders ' +
    "WHERE expires < clock_timestamp() - interval '7 days' FOR UPDATE SKIP LOCKED)",
};

/**
 * Makes the row, or takes it over from the connection before if that has still the incarnation that was seen ($7). Returns what is on
 * record as committed, which may be more than was seen.
 */
const TAKING =
  'INSERT INTO sds_holders (session, generation, incarnation, expires, fenced, batch, part) ' +
  `VALUES ($1, $2, $3, ${newExpiry('$4')}, false, $5, $6) ON CONFLICT (session, generation) ` +
  // not the one above, from before it has waited for the row
  `DO UPDATE SET expires = ${newExpiry('$4')}, incarnation = excluded.incarnation ` +
  'WHERE sds_holders.incarnation = $7 AND NOT sds_holders.fenced RETURNING batch, part';

const DIVISION_BY_ZERO = '22012';

/** What lets a process be known, and leave: nobody keeps it waiting for long, and without it no call is carried out. */
const LEAST_UPKEEP_LOCK_MS = 1000;

/** Only what a lost connection of this very session still sends can come between; without end, there is something else wrong. */
const MOST_ATTEMPTS = 10;

export class Holder {
  readonly session: string;
  generation = -1;
  #incarnation = '';
  readonly leaseMs: number;
  /** Whether its row was there before, maybe with claims that were given back: since a worker was lost, or a standby promoted. */
  inherits = false;
  #mark: Mark | undefined;
  renewedAt = Number.NEGATIVE_INFINITY;

  constructor(session: string, leaseMs: number) {
    this.session = session;
    this.leaseMs = leaseMs;
  }

  /** Whether something was committed before: then it must not be done again. */
  covers({ number, part }: Mark): boolean {
    const mark = this.#mark;
    if (mark === undefined) return false;
    return mark.number === number ? mark.part >= part : reached(mark.number, number);
  }

  /** Whether only some of several batches were committed before. */
  coversSome({ first, number }: CommitPoint): boolean {
    return first !== number && this.#mark !== undefined && reached(this.#mark.number, first);
  }

  committed({ number, part }: Mark): void {
    this.#mark = { number, part };
    this.renewedAt = performance.now();
  }

  transact(connection: Connection, ...statements: Statement[]): Promise<Result[]> {
    return transact(connection, statements, LEAST_UPKEEP_LOCK_MS);
  }

  /** Makes itself known over this connection, and learns what was committed: under a new generation, if it was fenced or forgotten. */
  async register(connection: Connection): Promise<void> {
    const incarnation = randomUUID();
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const [found] = await this.transact(connection, {
        text: 'SELECT generation, fenced::int, incarnation, batch, part FROM sds_holders WHERE session = $1 ORDER BY generation DESC LIMIT 1',
        values: [this.session],
      });
      const [generation = null, fenced, seen = null, ...mark] = found?.rows[0] ?? [];
      const isNew = fenced !== '0'; // or there is none
      if (isNew) this.#setMark(mark); // what was fenced can't commit any more
      const wanted = isNew ? Math.max(Number(generation ?? -1), this.generation) + 1 : Number(generation);
      const { number = null, part = null } = this.#mark ?? {};
      const values = [this.session, wanted, incarnation, this.leaseMs, number, part, isNew ? null : seen];
      const taking = { text: TAKING, values: values.map((value) => (value === null ? null : String(value))) };
      const [taken] = await this.transact(connection, taking, ...(isNew ? [FORGETTING] : []));
      const [recorded] = taken?.rows ?? [];
      if (recorded === undefined) continue;
      this.#setMark(recorded);
      if (!isNew) this.inherits = true;
      this.generation = wanted;
      this.#incarnation = incarnation;
      this.renewedAt = performance.now();
      return;
    }
    throw notUpdated();
  }

  #setMark([batch = null, part = null]: (string | null)[]): void {
    if (batch === null) return;
    const found = { number: Number(batch), part: Number(part) };
    // what was heard of here may be more than what is on record: the row may have been forgotten, and made anew
    if (!this.covers(found)) this.#mark = found;
  }

  /** Renews its lease alone. There is nothing to undo if it was fenced, so that is no error of the server, which would log it. */
  async renew(connection: Connection): Promise<void> {
    const [renewed] = await this.transact(connection, this.update(1));
    if (renewed?.count === 0) throw new ServerError('io-error', 'no', 'this process was fenced', DIVISION_BY_ZERO);
    this.renewedAt = performance.now();
  }

  /** Leaves, fenced or not: nobody has to wait until it is given up for lost. Fails as a fence does if this is not its connection. */
  async leave(connection: Connection): Promise<void> {
    const own = { text: onlyIf(`DELETE FROM sds_holders WHERE ${itself(1)} RETURNING 1`), values: this.#identity };
    const ofSession = (table: string) => ({ text: `DELETE FROM ${table} WHERE session = $1`, values: [this.session] });
    await this.transact(connection, own, ...['sds_claims', 'sds_holders'].map(ofSession));
  }

  // ---- in each transaction that changes something ------------------------------------------------------

  /** Fails with a division by zero if its connection may not change anything any more, so that what follows is not carried out. */
  fence(point?: Mark): Statement {
    const { text, values } = this.update(1, point);
    return { text: onlyIf(`${text} RETURNING 1`), values };
  }

  /** The update by itself, whose parameters begin with the one of this number. */
  update(first: number, point?: Mark): { text: string; values: readonly string[] } {
    const record = point === undefined ? '' : `, batch = $${first + 4}, part = $${first + 5}`;
    const recorded = point === undefined ? [] : [String(point.number), String(point.part)];
    return {
      text: `UPDATE sds_holders SET expires = ${newExpiry(`$${first + 3}`)}${record} WHERE ${itself(first)} AND NOT fenced`,
      values: [...this.#identity, String(this.leaseMs), ...recorded],
    };
  }

  get #identity(): string[] {
    return [this.session, String(this.generation), this.#incarnation];
  }
}

/** The row of a connection that has registered, whose parameters begin with the one of this number. */
function itself(first: number): string {
  return `session = $${first} AND generation = $${first + 1} AND incarnation = $${first + 2}`;
}

/** Fails if a statement that returns a row for each that it has changed has changed none. */
function onlyIf(changes: string): string {
  return `WITH held AS (${changes}) SELECT 1 / count(*) FROM held`;
}

/** Always by the server's clock: those of the processes differ. */
function newExpiry(lease: string): string {
  return `clock_timestamp() + ${lease}::int * interval '1 millisecond'`;
}

/** Registered again and again, it is fenced each time. */
export function notUpdated(): EngineError {
  return new EngineError('io-error', { message: "this process's row in sds_holders can not be updated" });
}

/** Whether a transaction was undone by its fence: this process has to register anew. */
export function mustRegister(error: unknown): boolean {
  return error instanceof ServerError && error.reported.code === DIVISION_BY_ZERO;
}

export function fencedError(storeId: string): EngineError {
  return new EngineError('fenced', { message: `store '${storeId}' belongs to another process` });
}

/** Nobody else need have it now: a standby took over, or an older state of the database was restored, that lacks the claim. */
export function lostError(storeId: string): EngineError {
  const message = `this process does not have store '${storeId}' any more: it was taken over, or its claim is gone with a failover or a restored database`;
  return new EngineError('fenced', { message });
}
