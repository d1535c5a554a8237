/**
 * Which stores this process may write. Each is claimed in a transaction that locks the store's row in `sds_leases`, so
 * that claims of one store come one after the other; its `epoch` counts how often it changed hands, from process to process.
 *
 * Queues of one process that reach a database by different URLs have a claim each and are no others to one another. But what one of them
 * has sent and nobody waits for any more must not be committed behind what the other one writes: so a claim cuts them off, and
 * those that are still there register anew.
 */

import { ownerOf, ownerOfSession } from '../../protocol/postgresql/session.ts';
import { UNKNOWN_EPOCH } from '../../protocol/service.ts';
import { textArray } from './arrays.ts';
import type { Connection, Result, Statement } from './connection.ts';
import { fencedError, type Holder } from './holder.ts';
import { namesOf } from './long-names.ts';
import { storedName } from './names.ts';
import { begin, inTransaction, type Limits } from './transactions.ts';

interface Claim {
  storeId: string;
  stored: string;
  exclusive: boolean;
  epoch: number;
  /** Taken over by another process: it stays so until the store is given back. */
  lost: boolean;
}

const nothing: Result = { rows: [], count: 0 };

export class Claims {
  readonly #holder: Holder;
  readonly #limits: Limits;
  readonly #claims = new Map<string, Claim>();
  /** Stored names of those that another process had when they were asked for last. */
  readonly #refused = new Set<string>();
  /** Stored names of those that are still to be given back. */
  readonly #leaving = new Set<string>();

  constructor(holder: Holder, limits: Limits) {
    this.#holder = holder;
    this.#limits = limits;
  }

  /** Whether it is claimed, alone if that is asked for. @throws `fenced` if it was lost */
  owns(storeId: string, exclusive: boolean): boolean {
    const claim = this.#claims.get(storedName(storeId).stored);
    if (claim === undefined) return false;
    if (claim.lost) throw fencedError(storeId);
    return claim.exclusive || !exclusive;
  }

  /** All were given back. */
  forget(): void {
    this.#claims.clear();
    this.#leaving.clear();
  }

  /** Whether the server has to hear of this process. */
  get any(): boolean {
    return this.#claims.size + this.#leaving.size > 0;
  }

  epochOf(storeId: string): number | undefined {
    return this.#claims.get(storedName(storeId).stored)?.epoch;
  }

  /**
   * Claims a store; taking over one whose holder was not heard of for the length of its lease needs no help.
   *
   * @param knownEpoch - the epoch at which this process has owned it before, with a worker that was lost; `UNKNOWN_EPOCH` if
   *   that one did not tell it
   * @throws `fenced` if a process that lives has it, or has had it meanwhile
   */
  async claim(connection: Connection, storeId: string, exclusive: boolean, knownEpoch?: number): Promise<void> {
    const { stored, whole } = storedName(storeId);
    if (this.#refused.has(stored) && (await this.#isTaken(connection, stored, exclusive))) throw fencedError(storeId);
    await inTransaction(connection, async () => {
      const results = await connection.run(
        ...begin(this.#limits),
        ...namesOf(whole === undefined ? [] : [[stored, whole]]),
        {
          text: 'INSERT INTO sds_leases (store_id, epoch, shared) VALUES ($1, 0, false) ON CONFLICT (store_id) DO NOTHING',
          values: [stored],
        },
        { text: 'SELECT epoch, shared::int FROM sds_leases WHERE store_id = $1 FOR UPDATE', values: [stored] },
        { text: 'SELECT session, generation FROM sds_claims WHERE store_id = $1', values: [stored] },
      );
      const [lease = nothing, claims = nothing] = results.slice(-2);
      const [epochBefore, shared] = (lease.rows[0] ?? []).map(Number);
      const { session, owner } = this.#holder;
      const found = claims.rows as [string, string][];
      const mine = found.some(([other]) => other === session);
      const isSibling = ([other]: [string, string]) => other !== session && ownerOf(other) === owner;
      // shared and exclusive do not go together, also not within a process
      const others = found.filter((row) => row[0] !== session && !(isSibling(row) && (exclusive || shared === 1)));
      const siblings = found.filter((row) => isSibling(row) && !others.includes(row));
      let epoch = epochBefore ?? 0;
      const isKnown = knownEpoch === UNKNOWN_EPOCH ? mine || epoch === 0 : knownEpoch === epoch;
      if (knownEpoch !== undefined && exclusive && !isKnown) {
        this.#claims.set(stored, { storeId, stored, exclusive, epoch, lost: true });
        throw fencedError(storeId);
      }
      const alone = exclusive || shared === 0;
      if (others.length > 0 && alone && !(await fence(connection, others))) {
        this.#refused.add(stored);
        throw fencedError(storeId);
      }
      if (!mine && siblings.length === 0) epoch++;
      await connection.run(
        ...this.#entry(stored, alone ? others : []),
        {
          text: 'UPDATE sds_leases SET epoch = $2, shared = $3 WHERE store_id = $1',
          values: [stored, String(epoch), String(!exclusive)],
        },
        ...siblings.map(([sibling]) => cutOff(sibling)),
        this.#holder.fence(),
        { text: 'COMMIT' },
      );
      this.#claims.set(stored, { storeId, stored, exclusive, epoch, lost: false });
      this.#leaving.delete(stored);
      this.#refused.delete(stored);
    });
  }

  /** Whether one that lives has it still. Many stores may wait for theirs: so this is one statement, and locks nothing. */
  async #isTaken(connection: Connection, stored: string, exclusive: boolean): Promise<boolean> {
    const { rows } = await connection.one(
      'SELECT 1 FROM sds_claims c, sds_holders h, sds_leases l WHERE c.store_id = $1 AND l.store_id = $1 AND c.session <> $2 ' +
        'AND h.session = c.session AND h.generation = c.generation AND NOT h.fenced AND h.expires >= clock_timestamp() ' +
        `AND CASE WHEN $3::boolean THEN ${ownerOfSession('c.session')} <> $4 ELSE NOT l.shared END LIMIT 1`,
      stored,
      this.#holder.session,
      String(exclusive),
      this.#holder.owner,
    );
    return rows.length > 0;
  }

  /**
   * Whether the server has all claims of this process. It may not, without anybody having fenced it: a standby that was
   * promoted lacks what it had not got yet.
   */
  async areKnown(connection: Connection): Promise<boolean> {
    const own = [...this.#claims.values()].filter(({ lost }) => !lost);
    if (own.length === 0) return true;
    const { session, generation } = this.#holder;
    const { rows } = await connection.one(
      'SELECT c.store_id, l.epoch FROM sds_claims c, sds_leases l WHERE c.session = $1 AND c.generation = $2 AND l.store_id = c.store_id',
      session,
      String(generation),
    );
    const epochs = new Map(rows.map(([stored, epoch]) => [stored, Number(epoch)]));
    return own.every(({ stored, epoch, exclusive }) => {
      const found = epochs.get(stored);
      return found === epoch || (found !== undefined && !exclusive);
    });
  }

  /** After this process was fenced, or some of its claims were lost: keeps the stores that nobody has taken, under the holder's new generation. */
  async keepWhatIsLeft(connection: Connection): Promise<void> {
    for (const claim of this.#claims.values()) {
      if (claim.lost) continue;
      const { stored, exclusive } = claim;
      const { session } = this.#holder;
      await inTransaction(connection, async () => {
        const [, , , lease = nothing, claims = nothing] = await connection.run(
          ...begin(this.#limits),
          { text: 'SELECT epoch, shared::int FROM sds_leases WHERE store_id = $1 FOR UPDATE', values: [stored] },
          { text: 'SELECT 1 FROM sds_claims WHERE store_id = $1 AND session = $2', values: [stored, session] },
        );
        const [epoch, shared] = (lease.rows[0] ?? []).map(Number);
        const taken = claims.rows.length === 0 || epoch !== claim.epoch;
        if (taken && (exclusive || shared === 0)) {
          claim.lost = true;
          await connection.run({ text: 'ROLLBACK' });
          return;
        }
        await connection.run(...this.#entry(stored, []), this.#holder.fence(), { text: 'COMMIT' });
      });
    }
  }

  /** This process wants a store no longer; `giveBack` tells the server, at once or as soon as it can be reached. */
  leave(stored: string): void {
    this.#claims.delete(stored);
    this.#refused.delete(stored);
    // also if it is not known here: the server may have it, and the answer was lost
    this.#leaving.add(stored);
  }

  async giveBack(connection: Connection): Promise<void> {
    for (const stored of this.#leaving) {
      // one transaction
      await connection.run(this.#removal(stored, []), this.#holder.fence());
      this.#leaving.delete(stored);
    }
  }

  #removal(stored: string, others: readonly (readonly [string, string])[]): Statement {
    const sessions = [this.#holder.session, ...others.map(([session]) => session)];
    return {
      text: 'DELETE FROM sds_claims WHERE store_id = $1 AND session = ANY($2::text[])',
      values: [stored, textArray(sessions)],
    };
  }

  /** This process's claim, in the place of its earlier one and of those of others. */
  #entry(stored: string, others: readonly (readonly [string, string])[]): Statement[] {
    const { session, generation } = this.#holder;
    return [
      this.#removal(stored, others),
      {
        text: 'INSERT INTO sds_claims (store_id, session, generation) VALUES ($1, $2, $3)',
        values: [stored, session, String(generation)],
      },
    ];
  }
}

/** Nothing that a session has sent and that is not committed yet will be; it registers anew if it is still there. */
function cutOff(session: string): Statement {
  return { text: "UPDATE sds_holders SET incarnation = '' WHERE session = $1", values: [session] };
}

/** Sees to it that none of them can write any more; false if one of them lives. */
async function fence(connection: Connection, others: readonly (readonly [string, string])[]): Promise<boolean> {
  for (const values of others) {
    // waits for a transaction of theirs that is under way
    const [fenced = nothing, left = nothing] = await connection.run(
      {
        text:
          'UPDATE sds_holders SET fenced = true WHERE session = $1 AND generation = $2 ' +
          'AND (fenced OR expires < clock_timestamp())',
        values,
      },
      { text: 'SELECT 1 FROM sds_holders WHERE session = $1 AND generation = $2', values },
    );
    if (fenced.count === 0 && left.rows.length > 0) return false;
  }
  return true;
}
