/**
 * What this process is to the others: a row of `sds_holders`, with the time at which it is given up for lost, and
 * the number of what it has committed last.
 *
 * Each transaction that writes updates this row. That one statement is the fence (a row that somebody has
 * fenced is not updated, and the transaction is undone), the renewal, and the record by which a commit whose answer was
 * lost is found out. The session's name is made on the main side and outlives a lost worker.
 */
import { reached } from '../../protocol/control.ts';
import { performance } from '../../protocol/surroundings.ts';
import { type CommitPoint, EngineError } from '../engine.ts';
import type { Connection, Statement } from './connection.ts';
import { ServerError } from './sqlstates.ts';

/** Where a series of batches is: `part` counts the promises done of a batch that is carried out promise by promise. */
export interface Mark {
  batch: number;
  part: number;
}

/** So long after they were heard of last, what is left of others is removed. */
const FORGET_AFTER = '7 days';

const DIVISION_BY_ZERO = '22012';

export class Holder {
  readonly session: string;
  generation = -1;
  /** Counts connections: what one that was lost has sent, and the server carries out later, must not be committed. */
  #incarnation = 0;
  readonly #leaseMs: number;
  #mark: Mark | undefined;
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(session: string, leaseMs: number) {
    this.session = session;
    this.#leaseMs = leaseMs;
  }

  get leaseMs(): number {
    return this.#leaseMs;
  }

  get isRegistered(): boolean {
    return this.generation >= 0;
  }

  /** When it was renewed last, as far as is known here. */
  get renewedAt(): number {
    return this.#renewedAt;
  }

  /** Whether something was committed before: then it must not be done again. */
  covers({ number, part }: CommitPoint): boolean {
    const mark = this.#mark;
    if (mark === undefined) return false;
    return mark.batch === number ? mark.part >= part : reached(mark.batch, number);
  }

  /** Whether only some of several batches were committed before. */
  coversSome({ first, number }: CommitPoint): boolean {
    return first !== number && this.#mark !== undefined && reached(this.#mark.batch, first);
  }

  committed({ number, part }: CommitPoint): void {
    this.#mark = { batch: number, part };
    this.#renewedAt = performance.now();
  }

  // ---- its row -----------------------------------------------------------------------------------

  /**
   * Makes itself known over a new connection, and learns what was committed. A transaction of a connection before is waited
   * for if it has come to its fence, and fails there if it comes to it later. Returns false if it was fenced meanwhile: see `succeed`.
   */
  async register(connection: Connection): Promise<boolean> {
    const wasRegistered = this.isRegistered;
    const { rows } = await connection.one(
      'SELECT generation FROM sds_holders WHERE session = $1 ORDER BY generation DESC LIMIT 1',
      this.session,
    );
    const found = rows[0] === undefined ? undefined : Number(rows[0][0]);
    if (found === undefined && wasRegistered) return false; // it was away for so long that it was forgotten
    this.generation = found ?? 0;
    if (found === undefined) {
      await connection.run(
        { text: `DELETE FROM sds_holders WHERE expires < clock_timestamp() - interval '${FORGET_AFTER}'` },
        this.#insertion(0, this.#mark),
      );
    }
    const renewed = await connection.one(
      `UPDATE sds_holders SET expires = ${this.#newExpiry('$3')}, incarnation = incarnation + 1 ` +
        'WHERE session = $1 AND generation = $2 AND NOT fenced RETURNING batch, part, incarnation',
      this.session,
      String(this.generation),
      String(this.#leaseMs),
    );
    const [row] = renewed.rows;
    if (row === undefined) return false;
    this.#renewedAt = performance.now();
    this.#incarnation = Number(row[2]);
    this.#setMark(row);
    return true;
  }

  #insertion(generation: number, mark: Mark | undefined): Statement {
    return {
      text:
        'INSERT INTO sds_holders (session, generation, expires, fenced, batch, part) ' +
        `VALUES ($1, $2, ${this.#newExpiry('$3')}, false, $4, $5) ON CONFLICT (session, generation) DO NOTHING`,
      values: [
        this.session,
        String(generation),
        String(this.#leaseMs),
        mark === undefined ? null : String(mark.batch),
        mark === undefined ? null : String(mark.part),
      ],
    };
  }

  /** Keeps it alive; false if it was fenced. */
  async renew(connection: Connection): Promise<boolean> {
    const { count } = await connection.one(
      `UPDATE sds_holders SET expires = ${this.#newExpiry('$3')} WHERE session = $1 AND generation = $2 AND NOT fenced`,
      this.session,
      String(this.generation),
      String(this.#leaseMs),
    );
    if (count === 0) return false;
    this.#renewedAt = performance.now();
    return true;
  }

  #setMark([batch, part]: (string | null)[]): void {
    const known = this.#mark;
    if (batch === null || batch === undefined) return;
    const found = { batch: Number(batch), part: Number(part) };
    // what was heard of here may be more than what is on record: the row may have been forgotten, and made anew
    if (known !== undefined && !reached(found.batch, known.batch)) return;
    if (known === undefined || found.batch !== known.batch || found.part > known.part) this.#mark = found;
  }

  /**
   * After it was fenced: a new generation, which goes on where the last one had to stop. What that has committed is
   * final, since it can't commit any more.
   */
  async succeed(connection: Connection): Promise<void> {
    const { rows } = await connection.one(
      'SELECT batch, part FROM sds_holders WHERE session = $1 AND generation = $2',
      this.session,
      String(this.generation),
    );
    if (rows[0] !== undefined) this.#setMark(rows[0]);
    this.generation++;
    this.#incarnation = 0;
    await connection.run(this.#insertion(this.generation, this.#mark));
    this.#renewedAt = performance.now();
  }

  /** It has left: should it come back, it makes itself known anew. */
  left(): void {
    this.generation = -1;
  }

  /** What makes another statement take effect only over this connection, not later over one that was lost. */
  isPresent(first: number): { condition: string; values: string[] } {
    const [session, generation, incarnation] = [first, first + 1, first + 2].map((i) => `$${i}`);
    return {
      condition:
        `EXISTS (SELECT 1 FROM sds_holders WHERE session = ${session} AND generation = ${generation} ` +
        `AND incarnation = ${incarnation})`,
      values: [this.session, String(this.generation), String(this.#incarnation)],
    };
  }

  /** Leaves: nobody has to wait until it is given up for lost. */
  leaving(): Statement[] {
    const { condition, values } = this.isPresent(2);
    return ['sds_claims', 'sds_holders'].map((table) => ({
      text: `DELETE FROM ${table} WHERE session = $1 AND ${condition}`,
      values: [this.session, ...values],
    }));
  }

  // ---- in each transaction that writes -----------------------------------------------------------------

  /** Fails with a division by zero if it was fenced, so that what follows in the same round trip is not carried out. */
  fence({ number, part }: Pick<CommitPoint, 'number' | 'part'>): Statement {
    return {
      text: `WITH held AS (${this.update(1)} RETURNING 1) SELECT 1 / count(*) FROM held`,
      values: this.fenceValues({ number, part }),
    };
  }

  /** The update by itself, whose parameters begin with the one of this number. */
  update(first: number): string {
    const [session, generation, lease, batch, part, incarnation] = [0, 1, 2, 3, 4, 5].map((i) => `$${first + i}`);
    return (
      `UPDATE sds_holders SET expires = ${this.#newExpiry(lease ?? '')}, batch = ${batch}, part = ${part} ` +
      `WHERE session = ${session} AND generation = ${generation} AND incarnation = ${incarnation} AND NOT fenced`
    );
  }

  fenceValues({ number, part }: Pick<CommitPoint, 'number' | 'part'>): string[] {
    return [this.session, ...[this.generation, this.#leaseMs, number, part, this.#incarnation].map(String)];
  }

  /** Always by the server's clock: those of the processes differ. */
  #newExpiry(lease: string): string {
    return `clock_timestamp() + ${lease}::int * interval '1 millisecond'`;
  }
}

/** This process was fenced: it makes itself a new generation, and goes on with the stores that are left to it. */
export class Fenced extends Error {}

export function isFenced(error: unknown): boolean {
  return error instanceof ServerError && error.sqlState === DIVISION_BY_ZERO;
}

export function fencedError(storeId: string): EngineError {
  return new EngineError('fenced', { message: `store '${storeId}' belongs to another process` });
}
