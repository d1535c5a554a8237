/**
 * Which stores this process may write, for its providers. They are claimed in transactions that lock the stores' rows. Whoever takes a
 * store over removes the claims of those before: so a process has a store as long as its claim is there.
 */
import { ownerOf } from '../../protocol/postgresql/session.ts';
import { EngineError, type Member } from '../engine.ts';
import { textArray } from './arrays.ts';
import type { Connection, Statement } from './connection.ts';
import { fencedError, type Holder, lostError, mustRegister } from './holder.ts';
import { insertionsOfLongNames, storedName } from './names.ts';
import { type ClaimRow, fenceHolders, lockedRows, lockStatements, type StoreRow, unclaiming } from './store-rows.ts';
import { beginStatements, COMMIT, inTransaction } from './transactions.ts';

/** `had`: to be claimed anew. `lost`: taken over by another process; it stays so until all providers that have had the store have left. */
type Claim = 'exclusive' | 'shared' | 'had' | 'lost';

interface Situation {
  stored: string;
  wanted: Member;
  shared: boolean;
  mine: ClaimRow[];
  /** Other queues of this process, which may have it as well. */
  siblings: ClaimRow[];
  /** Those who must be dead if this process is to have it. */
  others: ClaimRow[];
}

/** Calls that concern no locked row or table are not to wait behind this, again and again. */
const BRIEFLY: Statement = { text: 'SET LOCAL lock_timeout = 20' };

export class Claims {
  readonly #holder: Holder;
  /** Providers by the stored name of their store: the first of a store claims it, the last one gives it back. */
  readonly #members = new Map<string, Set<Member>>();
  /** Those that are to be attached, and whose store was not asked for along with another one's. */
  readonly #coming = new Set<Member>();
  /** By the stored names of their stores: only while there are providers of them, and none of those that are to be given back. */
  readonly #claims = new Map<string, Claim>();
  /** Those that are to be given back. */
  readonly #leaving = new Set<string>();
  /** Whether one of them has left since all were tried last: those that are closed together do not wait in vain one after the other. */
  mayGiveBack = false;

  constructor(holder: Holder) {
    this.#holder = holder;
  }

  /** A provider will want its store. */
  announce(member: Member): void {
    const { stored } = storedName(member.storeId);
    const members = this.#members.get(stored) ?? new Set();
    this.#members.set(stored, members.add(member));
    this.#coming.add(member);
  }

  /** Whether a provider was announced, and has not left. */
  isThere(member: Member): boolean {
    return this.#members.get(storedName(member.storeId).stored)?.has(member) ?? false;
  }

  /** A provider has gone. If it was the last one of its store, the server is told by `giveBack`, as soon as it can be. */
  leave(member: Member): void {
    const { stored } = storedName(member.storeId);
    const members = this.#members.get(stored);
    this.#coming.delete(member);
    if (!members?.delete(member)) return;
    if (members.size > 0) {
      // those that are left never had it: they have it once it is free
      if (this.#claims.get(stored) === 'lost' && !this.#wasOwned(stored)) this.#claims.delete(stored);
      return;
    }
    this.#members.delete(stored);
    this.#claims.delete(stored);
    // even if it is not known here: the server may have it, and the answer was lost
    this.#leaving.add(stored);
    this.mayGiveBack = true;
  }

  /**
   * Claims a member's store, unless it is, and with it those of all who are to be attached after it: a thousand are opened in one
   * transaction. @throws `fenced` if another process has it
   */
  async claim(connection: Connection, member: Member): Promise<void> {
    this.#coming.delete(member);
    const claim = this.#claims.get(storedName(member.storeId).stored);
    if (claim === 'lost') throw lostError(member.storeId);
    if (suffices(claim, member)) return;
    const others = [...this.#coming];
    const isGranted = await this.#claimAll(connection, [member, ...others], member).catch((error) => {
      if (others.length === 0 || connection.lost || mustRegister(error)) throw error; // then all are tried again together
      // it may be another one's store that is in the way
      return this.#claimAll(connection, [member], member);
    });
    for (const other of others) this.#coming.delete(other);
    if (isGranted) return;
    throw this.#claims.get(storedName(member.storeId).stored) === 'lost'
      ? lostError(member.storeId)
      : fencedError(member.storeId);
  }

  /**
   * What it has is given back with the process's own row, as that ends: what providers that are still there call after that claims their
   * store anew. What is lost, or may be, stays so.
   */
  giveUp(): void {
    for (const [stored, claim] of this.#claims) {
      if (claim === 'lost' || claim === 'had') continue;
      this.#claims.delete(stored);
      for (const member of this.#members.get(stored) ?? []) member.owned = false;
    }
  }

  /** Whether the server has to hear of this process. */
  get any(): boolean {
    return this.#claims.size + this.#leaving.size > 0;
  }

  /**
   * Claims those of the members' stores that no living process has, the first one of a store for all of that.
   *
   * @param first - the one whose turn it is, if so: on its store's lock alone is waited. Returns whether that store is granted
   */
  async #claimAll(connection: Connection, members: readonly Member[], first?: Member): Promise<boolean> {
    const wanted = new Map<string, Member>();
    for (const member of members) {
      const { stored } = storedName(member.storeId);
      const claim = this.#claims.get(stored);
      // a claim of one that is lost may be there again: with an older state of the database
      if (claim !== 'lost' && !suffices(claim, member) && !wanted.has(stored)) wanted.set(stored, member);
    }
    const stored = [...wanted.keys()];
    return inTransaction(connection, async () => {
      const results = await connection.run(
        ...beginStatements(connection),
        ...insertionsOfLongNames([...wanted.values()].map(({ storeId }) => storedName(storeId))),
        ...lockStatements(stored, first === undefined ? [] : stored.slice(0, 1)),
      );
      const rows = lockedRows(results);
      const situations = [...wanted].flatMap(([stored, member]) => {
        const row = rows.get(stored);
        return row === undefined ? [] : [this.#situationOf(stored, member, row)];
      });
      const living = await fenceHolders(
        connection,
        situations.flatMap(({ others }) => others),
      );
      const granted = situations.filter(({ stored, mine, others }) => {
        // whoever has had it has a state of it: it must not go on behind another one's back
        const isLost = mine.length === 0 && this.#wasOwned(stored);
        if (isLost) this.#claims.set(stored, 'lost');
        return !isLost && !others.some((claim) => living.has(claim));
      });
      await connection.run(...this.#end(granted));
      for (const { stored, wanted } of granted) {
        // all who wanted it have left meanwhile: it is to be given back
        if (!this.#members.has(stored)) continue;
        this.#claims.set(stored, wanted.exclusive ? 'exclusive' : 'shared');
        this.#leaving.delete(stored);
      }
      return granted.some(({ wanted }) => wanted === first);
    });
  }

  /** Whether a provider that is there has had a store for itself, now or with a worker thread that was lost. */
  #wasOwned(stored: string): boolean {
    return [...(this.#members.get(stored) ?? [])].some(({ exclusive, owned }) => exclusive && owned);
  }

  #situationOf(stored: string, wanted: Member, { shared, claims }: StoreRow): Situation {
    const { session } = this.#holder;
    const situation: Situation = { stored, wanted, shared, mine: [], siblings: [], others: [] };
    for (const claim of claims) {
      if (claim.session === session) situation.mine.push(claim);
      else if (ownerOf(claim.session) === ownerOf(session)) situation.siblings.push(claim);
      else if (wanted.exclusive || !shared) situation.others.push(claim);
    }
    return situation;
  }

  /** What ends the transaction in which these are claimed. */
  #end(granted: readonly Situation[]): Statement[] {
    if (granted.length === 0) return [{ text: 'ROLLBACK' }];
    const { session, generation } = this.#holder;
    const names = granted.map(({ stored }) => stored);
    const turned = granted
      // what a sibling has for this process alone stays so
      .filter(({ wanted, shared, siblings }) => (wanted.exclusive ? shared : !shared && siblings.length === 0))
      .map(({ stored }) => stored);
    const siblings = granted.flatMap((one) => one.siblings.map(({ session }) => session));
    return [
      unclaiming(granted.flatMap(({ mine, others }) => [...mine, ...others])),
      // of processes that shared it, and were forgotten since
      ...onEach(
        'DELETE FROM sds_claims c WHERE NOT EXISTS (SELECT FROM sds_holders h WHERE h.session = c.session ' +
          'AND h.generation = c.generation) AND c.store_id',
        names,
      ),
      {
        text: 'INSERT INTO sds_claims (store_id, session, generation) SELECT n, $2::text, $3::int FROM unnest($1::text[]) AS u (n)',
        values: [textArray(names), session, String(generation)],
      },
      ...onEach('UPDATE sds_stores SET shared = NOT shared WHERE store_id', turned),
      // nothing that a sibling has sent and that is not committed yet will be
      ...onEach("UPDATE sds_holders SET incarnation = '' WHERE session", siblings),
      this.#holder.fence(),
      COMMIT,
    ];
  }

  /** Claims anew what the server does not know under the holder's generation: this process was fenced, or a standby was promoted. */
  async claimAnew(connection: Connection): Promise<void> {
    if (this.#claims.size === 0) return;
    const { session, generation } = this.#holder;
    const [found] = await this.#holder.transact(connection, {
      text: 'SELECT store_id FROM sds_claims WHERE session = $1 AND generation = $2',
      values: [session, String(generation)],
    });
    const known = new Set(found?.rows.map(([stored]) => stored));
    const members: Member[] = [];
    for (const [stored, claim] of this.#claims) {
      if (claim === 'lost' || known.has(stored)) continue;
      this.#claims.set(stored, 'had');
      members.push(...(this.#members.get(stored) ?? []));
    }
    members.sort((one, other) => Number(other.exclusive) - Number(one.exclusive));
    if (members.length > 0) await this.#claimAll(connection, members);
  }

  /**
   * All that is to be given back by now: a thousand stores that are closed together are given back in one transaction, and what is in the
   * way of one keeps no other one back. What can't be given back is tried again with the next one that is closed, connection, or renewal.
   */
  async giveBack(connection: Connection): Promise<void> {
    this.mayGiveBack = false;
    const leaving = [...this.#leaving];
    if (await this.#tryToGiveBack(connection, leaving)) return;
    for (const stored of leaving) await this.#tryToGiveBack(connection, [stored]);
  }

  /** Returns false if each is to be tried by itself. */
  async #tryToGiveBack(connection: Connection, names: readonly string[], ...first: Statement[]): Promise<boolean> {
    if (names.length === 0) return true;
    try {
      const text = 'DELETE FROM sds_claims WHERE store_id = ANY($1::text[]) AND session = $2';
      const deletion = { text, values: [textArray(names), this.#holder.session] };
      await this.#holder.transact(connection, ...first, deletion, this.#holder.fence());
      for (const stored of names) this.#leaving.delete(stored);
      return true;
    } catch (error) {
      if (connection.lost || mustRegister(error)) throw error;
      return error instanceof EngineError && error.code === 'database-busy'; // each would wait as long
    }
  }

  /** Whether the server knows of each store what this process does. */
  get areSettled(): boolean {
    return !this.#holder.inherits && !this.#anyHad && this.#leaving.size === 0;
  }

  get #anyHad(): boolean {
    return [...this.#claims.values()].includes('had');
  }

  /**
   * With the lease's renewals, by which all providers are known. A store whose row was locked is claimed anew though nobody uses it, and
   * one that could not be given back is given back though no other one is closed: others may wait for it.
   */
  async settle(connection: Connection): Promise<void> {
    if (this.#holder.inherits) await this.#findInherited(connection);
    await this.#tryToGiveBack(connection, [...this.#leaving], BRIEFLY);
    if (this.#anyHad) await this.claimAnew(connection);
  }

  /**
   * What a lost worker thread, or one that could not reach the server, was still to give back, and what has come back with an older
   * state of the database.
   */
  async #findInherited(connection: Connection): Promise<void> {
    const text = 'SELECT store_id FROM sds_claims WHERE session = $1';
    const [found] = await this.#holder.transact(connection, { text, values: [this.#holder.session] });
    const stores = found?.rows.map(([stored]) => String(stored)) ?? [];
    for (const stored of stores) if (!this.#members.has(stored)) this.#leaving.add(stored);
    this.#holder.inherits = false;
  }
}

function suffices(claim: Claim | undefined, { exclusive }: Member): boolean {
  return claim === 'exclusive' || (claim === 'shared' && !exclusive);
}

function onEach(text: string, names: readonly string[]): Statement[] {
  return names.length === 0 ? [] : [{ text: `${text} = ANY($1::text[])`, values: [textArray(names)] }];
}
