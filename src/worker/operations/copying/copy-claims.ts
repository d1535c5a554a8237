/**
 * Owns the stores that are copied for as long as it takes, as a provider would, so that none writes to them meanwhile; and the
 * copy itself, under a name that no store has, so that two of one source do not both add to the same values.
 */
import { randomUUID } from 'node:crypto';
import { clearInterval, Promise, performance, setInterval, setTimeout } from '../../../protocol/surroundings.ts';
import type { Statement } from '../../postgresql/connection.ts';
import { Holder } from '../../postgresql/holder.ts';
import { OperationError } from '../failure.ts';
import { type CopyConnection, ServerFailure, textArray } from './copy-connection.ts';

/** Looked at so often whether the holder of a claim has given it back before its time is over. */
const LOOK_MS = 200;
/** An answer takes its time as well. */
const GRACE_MS = 1000;
/** How the fence fails. */
const DIVISION_BY_ZERO = '22012';

interface Claim {
  name: string;
  session: string;
  generation: string;
  /** Milliseconds until it may be taken over; none if it can be taken at once. */
  left: number;
}

export class CopyClaims {
  readonly #server: CopyConnection;
  readonly #holder: Holder;
  #second: CopyConnection | undefined;
  #timer: NodeJS.Timeout | undefined;
  #renewal: Promise<void> | undefined;
  #lost = false;
  #number = 0;

  constructor(server: CopyConnection, leaseMs: number) {
    this.#server = server;
    this.#holder = new Holder(`copy ${randomUUID()}`, leaseMs);
  }

  async begin(): Promise<void> {
    await this.#server.use((connection) => this.#holder.register(connection));
    this.#timer = setInterval(() => this.#renew(), this.#holder.leaseMs / 3);
  }

  /** Over a connection of its own: what is changed within a long transaction nobody else sees. */
  #renew(): void {
    if (this.#renewal !== undefined) return;
    const renew = async () => {
      if (this.#second === undefined || this.#second.connection.lost) this.#second = await this.#server.another();
      if (!(await this.#holder.renew(this.#second.connection))) this.#lost = true;
    };
    this.#renewal = renew()
      // the next transaction renews it as well, and finds out if it is too late
      .catch(() => undefined)
      .finally(() => {
        this.#renewal = undefined;
      });
  }

  /** Goes along with each commit: it fails if the copy was taken for dead and its stores were taken over. */
  fence(): Statement {
    this.#number = (this.#number + 1) | 0;
    return this.#holder.fence({ number: this.#number, part: 0 });
  }

  /** What was thrown, or what it means. */
  meaningOf(error: unknown): unknown {
    return this.#lost || (error instanceof ServerFailure && error.sqlState === DIVISION_BY_ZERO)
      ? new OperationError('fenced', this.#server.place, 'this copy was taken for dead; call again, it goes on')
      : error;
  }

  /**
   * @param stored - names as they are stored
   * @param told - the name of one as people know it
   * @param waits - whether to wait until a dead process is taken for dead
   */
  async claim(stored: readonly string[], told: (stored: string) => string, waits: boolean): Promise<void> {
    const begun = performance.now();
    for (let longest = 0; ; ) {
      const held = await this.#claimOnce(stored);
      if (held === undefined) return;
      // what a dead one has sent may still be carried out, and renew its lease once more; a living one goes on doing so
      longest = Math.max(longest, held.left);
      if (!waits || performance.now() - begun > 2 * longest + GRACE_MS) throw this.#fenced(told(held.name));
      await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_MS, held.left + 1)));
    }
  }

  #fenced(what: string): OperationError {
    return new OperationError('fenced', this.#server.place, `${what} belongs to another process; close it there first`);
  }

  /** Returns a claim of a process that lives, if there is one; then nothing is claimed. */
  async #claimOnce(stored: readonly string[]): Promise<Claim | undefined> {
    const names = textArray(stored);
    let held: Claim | undefined;
    const given = new GivenUp();
    try {
      await this.#server.transaction(async () => {
        held = undefined;
        await this.#server.one(
          'INSERT INTO sds_stores (store_id, shared) SELECT n, false FROM unnest($1::text[]) AS u (n) ORDER BY n ON CONFLICT (store_id) DO NOTHING',
          names,
        );
        const lock = 'SELECT 1 FROM sds_stores WHERE store_id = ANY($1::text[]) ORDER BY store_id FOR UPDATE';
        await this.#server.one(lock, names);
        for (const claim of await this.#othersOf(names)) {
          if (await this.#isDead(claim)) continue;
          held = claim;
          throw given;
        }
        const { session, generation } = this.#holder;
        await this.#server.run(
          { text: 'DELETE FROM sds_claims WHERE store_id = ANY($1::text[])', values: [names] },
          {
            text: 'INSERT INTO sds_claims (store_id, session, generation) SELECT n, $2, $3 FROM unnest($1::text[]) AS u (n)',
            values: [names, session, String(generation)],
          },
          {
            text: 'UPDATE sds_stores SET shared = false WHERE store_id = ANY($1::text[])',
            values: [names],
          },
        );
      }, this.fence());
    } catch (error) {
      if (error !== given) throw this.meaningOf(error);
    }
    return held;
  }

  async #othersOf(names: string): Promise<Claim[]> {
    const rows = await this.#server.rows(
      'SELECT c.store_id, c.session, c.generation, CASE WHEN h.fenced OR h.session IS NULL THEN 0 ELSE ' +
        'ceil(extract(epoch FROM h.expires - clock_timestamp()) * 1000)::int END FROM sds_claims c LEFT JOIN sds_holders h ' +
        'ON h.session = c.session AND h.generation = c.generation WHERE c.store_id = ANY($1::text[]) AND c.session <> $2',
      names,
      this.#holder.session,
    );
    return rows.map(([name, session, generation, left]) => ({
      name: String(name),
      session: String(session),
      generation: String(generation),
      left: Math.max(Number(left), 0),
    }));
  }

  /** Sees to it that it can't write any more; this waits for a transaction of its that is under way. */
  async #isDead({ session, generation, left }: Claim): Promise<boolean> {
    if (left > 0) return false;
    const [, alive] = await this.#server.run(
      {
        text: 'UPDATE sds_holders SET fenced = true WHERE session = $1 AND generation = $2 AND NOT fenced AND expires < clock_timestamp()',
        values: [session, generation],
      },
      {
        text: 'SELECT 1 FROM sds_holders WHERE session = $1 AND generation = $2 AND NOT fenced',
        values: [session, generation],
      },
    );
    return alive?.rows.length === 0;
  }

  /** All is given back, and the names are forgotten that are no stores. */
  leaving(own: readonly string[]): Statement[] {
    return [
      ...this.#holder.leaving(),
      { text: 'DELETE FROM sds_stores WHERE store_id = ANY($1::text[])', values: [textArray(own)] },
    ];
  }

  /** Whether `leaving` was carried out, when its answer was lost: this waits for a transaction that is under way. */
  async haveLeft(): Promise<boolean> {
    const server = await this.#server.another();
    try {
      const sql = 'SELECT 1 FROM sds_holders WHERE session = $1 FOR UPDATE';
      return (await server.rows(sql, this.#holder.session)).length === 0;
    } finally {
      await server.close();
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewal;
    await this.#second?.close();
  }
}

/** Rolls back what was claimed, since not all of it can be. */
class GivenUp extends Error {}
