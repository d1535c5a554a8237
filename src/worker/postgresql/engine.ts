/** The engine for PostgreSQL: which calls go together, and what was committed although nobody said so. */
import type { PackedBytes } from '../../protocol/packed-bytes.ts';
import type { PostgresqlSettings, RecordsFound, StoreFound } from '../../protocol/service.ts';
import { Promise } from '../../protocol/surroundings.ts';
import { type CommitPoint, type Engine, EngineError, type Member, noteCommit, type Writes } from '../engine.ts';
import { Changes } from './changes.ts';
import { deletionOfUnnamed, readWhole } from './chunks.ts';
import { Claims } from './claims.ts';
import type { Connection, Reading, Statement } from './connection.ts';
import { Execution } from './execution.ts';
import { Holder } from './holder.ts';
import { Lease } from './lease.ts';
import { insertionsOfLongNames, storedName } from './names.ts';
import { PackedPatches } from './packed-patches.ts';
import { collidedOf, insertionOfAll, loadPatchesSince } from './patches.ts';
import { loadRecord, loadRecords } from './records.ts';
import { ServerLink } from './server-link.ts';
import { ServerError } from './sqlstates.ts';
import { prepareTables } from './tables.ts';
import { beginStatements, COMMIT, inTransaction, readingBy, transact, UNLIMITED } from './transactions.ts';
import { listStores, loadStore } from './whole-stores.ts';

const NUMBER_TAKEN = '23505';
/** What a server says that distributes its tables, of a statement that changes two of them. */
const NOT_SUPPORTED = '0A000';

export class PostgresqlEngine implements Engine {
  readonly #link: ServerLink;
  readonly #holder: Holder;
  readonly #claims: Claims;
  readonly #lease: Lease;
  /** Whether the tables may be made; until they are known to be there. */
  #mayCreate: boolean | undefined;
  /** Whether the server takes a statement that changes two tables; until it refuses one. */
  #takesBoth = true;

  constructor(settings: PostgresqlSettings) {
    this.#mayCreate = settings.CreateTables;
    this.#holder = new Holder(settings.session, settings.LeaseMs);
    this.#claims = new Claims(this.#holder);
    this.#link = new ServerLink(settings, (connection) => this.#register(connection));
    this.#lease = new Lease(this.#holder, this.#claims, this.#link);
  }

  async #register(connection: Connection): Promise<void> {
    const transact = (...statements: Statement[]) => this.#holder.transact(connection, ...statements);
    if (this.#mayCreate !== undefined) await prepareTables(transact, this.#mayCreate);
    this.#mayCreate = undefined;
    await this.#holder.register(connection);
    await this.#claims.claimAnew(connection);
    await this.#claims.giveBack(connection);
  }

  taskBegins(askedAt: number, lockMs: number): void {
    this.#link.askedAt = askedAt;
    this.#link.patience.lockMs = lockMs;
  }

  // ---- providers come and go ---------------------------------------------------------------------

  announce(member: Member): void {
    this.#claims.announce(member);
    this.#link.passwords.offer(member);
  }

  setDurability(full: boolean): void {
    this.#link.patience.full = full;
  }

  attach(member: Member): Promise<void> {
    return this.#use(async (connection) => {
      // for one that has left nothing is claimed: what it had may have been given back over this new connection
      if (!this.#claims.isThere(member)) return;
      await this.#claims.claim(connection, member);
      member.owned = true;
    });
  }

  detach(member: Member): () => Promise<void> {
    this.#claims.leave(member);
    return async () => {
      if (this.#claims.mayGiveBack) await this.#link.useOnce((connection) => this.#claims.giveBack(connection));
      this.#link.passwords.withdraw(member); // a new connection may have taken its password
    };
  }

  // ---- writes ----------------------------------------------------------------------------------------

  async transact(writes: Writes, commitPoint: CommitPoint): Promise<void> {
    // before anything is waited for: the writes lie where they are only for this attempt's length
    const changes = new Changes(writes);
    await this.#use((connection) => this.#carryOut(connection, changes, commitPoint)).catch((error) => {
      // if it is committed, what could not be asked is only which patches have met others
      if (!this.#holder.covers(commitPoint)) throw error;
    });
    for (const at of changes.collided) writes.markWithoutEffect(at);
    for (const member of changes.members) member.owned = true;
    commitPoint.cells[commitPoint.index] = commitPoint.value;
    noteCommit(commitPoint);
    if (changes.replaced.size === 0) return;
    const deletion = deletionOfUnnamed('sds_snapshots', [...changes.replaced]);
    // behind the acknowledgement, because it takes half as long as the snapshot itself; what comes next waits for it
    void this.#link.useOnce((connection) => transact(connection, [UNLIMITED, deletion, this.#holder.fence()]));
  }

  async #carryOut(connection: Connection, changes: Changes, point: CommitPoint): Promise<void> {
    // an earlier attempt was committed, and nobody heard of it
    if (this.#holder.covers(point)) return this.#askLater(connection, changes);
    if (this.#holder.coversSome(point)) {
      // never seen by a caller: the batches are tried one by one
      throw new EngineError('io-error', { message: 'some of these batches were committed before' });
    }
    // here, not when the writes are read: a store may be lost meanwhile, and this process have a new generation
    for (const member of changes.members) await this.#claims.claim(connection, member);
    const { onlyPatches } = changes;
    changes.collided = [];
    if (this.#takesBoth && onlyPatches?.ascends && (await this.#insert(connection, onlyPatches, point))) return;
    return inTransaction(connection, async () => {
      const begin = [...beginStatements(connection), ...insertionsOfLongNames(changes.names)];
      const execution = new Execution(connection, begin, changes.collided);
      for (const section of changes.sections) await execution.carryOut(section);
      const end = [...changes.values.statements, this.#holder.fence(point), COMMIT];
      await execution.end(end, () => this.#holder.committed(point));
    });
  }

  /** Returns false if nothing was inserted: this process was fenced, a number is taken, or the server takes no such statement. */
  async #insert(connection: Connection, packed: PackedPatches, point: CommitPoint): Promise<boolean> {
    const holder = this.#holder;
    try {
      const [inserted] = await transact(connection, [insertionOfAll(packed, holder, point)]);
      if (inserted?.count !== packed.count) return false;
      holder.committed(point);
      return true;
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (error.reported.code === NOT_SUPPORTED) this.#takesBoth = false;
      else if (error.reported.code !== NUMBER_TAKEN) throw error;
      return false;
    }
  }

  /**
   * Which patches have met others in a commit that was found out later. Of one that was deleted behind, in the same commit, it can't be
   * known: its number may be another one's by now.
   */
  async #askLater(connection: Connection, { sections, collided }: Changes): Promise<void> {
    const refused = new Set(collided);
    /** Of each store, below which number patches were deleted behind those that are asked for. */
    const deleted = new Map<string, number>();
    const note = (store: string, below: number) => deleted.set(store, Math.max(below, deleted.get(store) ?? below));
    for (const { patches, end } of sections.toReversed()) {
      if (end !== undefined && 'removed' in end) note(end.removed, Number.POSITIVE_INFINITY);
      else if (end !== undefined && 'at' in end && !refused.has(end.at)) note(end.store, end.clock + 1);
      for (const step of patches.toReversed()) {
        if (!(step instanceof PackedPatches)) {
          note(step.store, step.below);
          continue;
        }
        const { keepers, clocks } = step;
        const isThere = (at: number) =>
          (clocks[at] ?? 0) >= (deleted.get(step.storeAt(at)) ?? Number.NEGATIVE_INFINITY);
        const met = await collidedOf(readingBy(connection), step);
        // those of patches that are kept lie under another number
        collided.push(...step.entriesAt(met.filter((at) => !keepers.has(at) && isThere(at))));
      }
    }
  }

  // ---- loads -------------------------------------------------------------------------------------------

  loadSnapshot(member: Member): Promise<Uint8Array | undefined> {
    return this.#read(member, (connection, store) => readWhole(connection, 'sds_snapshots', store));
  }

  loadPatchesSince(member: Member, clock: number): Promise<PackedBytes> {
    return this.#read(member, (connection, store) => loadPatchesSince(connection, store, clock));
  }

  loadValue(member: Member, hash: string): Promise<Uint8Array | undefined> {
    return this.#read(member, (connection) => readWhole(connection, 'sds_values', storedName(hash).stored));
  }

  loadStore(member: Member): Promise<StoreFound> {
    return this.#withStore(member, loadStore);
  }

  listStores(member: Member): Promise<string[]> {
    return this.#read(member, listStores);
  }

  loadRecord(member: Member, key: string): Promise<Uint8Array | undefined> {
    return this.#read(member, (connection, store) => loadRecord(connection, store, key));
  }

  loadRecords(member: Member, prefix: string): Promise<RecordsFound> {
    return this.#read(member, (connection, store) => loadRecords(connection, store, prefix));
  }

  #read<T>(member: Member, read: (reading: Reading, store: string) => Promise<T>): Promise<T> {
    return this.#withStore(member, (connection, store) => read(readingBy(connection), store));
  }

  #withStore<T>(member: Member, read: (connection: Connection, store: string) => Promise<T>): Promise<T> {
    return this.#use(async (connection) => {
      await this.#claims.claim(connection, member);
      const found = await read(connection, storedName(member.storeId).stored);
      member.owned = true;
      return found;
    });
  }

  /** Whichever call is the first that has the server: those before it may have failed, and it claims its store all the same. */
  #use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#link.use((connection) => {
      this.#lease.begin();
      return work(connection);
    });
  }

  /** Gives back what this process has there, so that nobody has to wait until it is given up for lost. */
  async close(): Promise<void> {
    const leaving = this.#link.useOnce((connection) => {
      this.#claims.giveUp(); // whatever comes of it: its answer may be lost
      return this.#holder.leave(connection);
    });
    await Promise.all([leaving, this.#lease.end()]); // nothing is renewed behind it
    await this.#link.close();
  }
}
