/** The documents of one database: a log for each that is open. */
import { faultOfBytes } from '../main/arguments.ts';
import { SDS_DesktopPersistenceProvider, SDS_PersistenceError } from '../main/index.ts';
import { lastingName } from '../main/location.ts';
import { sayAtExit } from '../main/observe/warnings.ts';
import { later, Promise, performance } from '../protocol/surroundings.ts';
import { CompactedLog } from './compacted-log.ts';
import type { LiveDocument } from './document-log.ts';
import type { Merging } from './merging.ts';
import type { Settings } from './options.ts';
import { refusal, shown } from './refusal.ts';
import { Trouble, toldAs } from './trouble.ts';

/**
 * A log that was opened for a call is kept for the next one: for so long, and up to twice, and while it is compacted. On PostgreSQL it
 * owns the document meanwhile, for which another process waits.
 */
const KEEP_MS = 1000;

/** As long as the library waits for what commits nothing. */
const EXIT_PATIENCE_MS = 10_000;

interface Kept {
  log: CompactedLog;
  /** Of those that take more than one call of the provider. */
  calls: number;
  isUsed: boolean;
}

/** Has documents leave, and returns what becomes of each, by its log. */
type Leave = () => ReadonlyMap<CompactedLog, Promise<void>>;

/** Those of this copy of the module that are not closed; whoever lets go of one has its files closed. */
const all = new Set<WeakRef<Documents>>();

/** What was rejected has a last attempt as the process ends. The library's listener, which waits for the commits, comes behind this one. */
function storeAtExit(): void {
  for (const ref of all) ref.deref()?.storeAtExit();
}

export class Documents {
  readonly trouble: Trouble;
  /** Of documents that are not open. */
  readonly merging: Merging;
  readonly #database: string;
  readonly #settings: Settings;
  /** Keeps the database open, and owns nothing of it: for what concerns all documents. */
  readonly anchor: SDS_DesktopPersistenceProvider;
  readonly #kept = new Map<string, Kept>();
  /** By their names: thousands may be lost at the same moment, each of which asks for the others of its document. */
  readonly #open = new Map<string, Set<CompactedLog>>();
  readonly #self = new WeakRef<Documents>(this);
  #closing: Promise<void> | undefined;

  constructor(database: string, settings: Settings, merging: Merging) {
    this.#database = lastingName(database);
    this.#settings = settings;
    this.merging = merging;
    const shared = { ...settings.provider, Ownership: 'shared' } as const;
    this.anchor = new SDS_DesktopPersistenceProvider(this.#database, '', shared);
    this.trouble = new Trouble(this.anchor.statistics().Path, settings.onError);
    for (const ref of all) if (ref.deref() === undefined) all.delete(ref);
    process.off('exit', storeAtExit).prependListener('exit', storeAtExit);
    all.add(this.#self);
  }

  /** Opens the log of a document, to be closed by the caller. */
  open(name: string, merging = this.merging, live?: LiveDocument): CompactedLog {
    if (this.isClosed) throw this.closed();
    const provider = () => new SDS_DesktopPersistenceProvider(this.#database, name, this.#settings.provider);
    const others = () => this.#logsOf(name).filter((other) => other !== log);
    const log: CompactedLog = new CompactedLog(merging, name, provider, others, this.trouble, live);
    const named = this.#open.get(name);
    if (named === undefined) this.#open.set(name, new Set([log]));
    else named.add(log);
    if (this.isClosed) throw this.closed(); // by a subscriber, who was told that its store is being opened: closed with all others
    return log;
  }

  /**
   * Also those of others who have the same database: a process has a document, or has lost it. In another schema one of its name is
   * another document.
   */
  #logsOf(name: string): CompactedLog[] {
    return [...all].flatMap((ref) => {
      const documents = ref.deref();
      return documents?.anchor.sharesDatabaseWith(this.anchor) ? documents.#named(name) : [];
    });
  }

  #named(name: string): CompactedLog[] {
    return [...(this.#open.get(name) ?? [])];
  }

  #logs(): CompactedLog[] {
    return [...this.#open.values()].flatMap((named) => [...named]);
  }

  /** Closes a log; see `CompactedLog.close`. */
  async close(log: CompactedLog): Promise<void> {
    try {
      await log.close();
    } finally {
      // not before: whoever closes all of them waits for this one, too, and hears what it lacks, unless the process ends first
      if (!this.isClosed || !log.isIncomplete) {
        const named = this.#open.get(log.name);
        named?.delete(log);
        if (named?.size === 0) this.#open.delete(log.name);
      }
    }
  }

  /**
   * Stores an update of a document that need not be open. Nobody has to listen to the promise: a failure is told anyway.
   *
   * @param faultOf - says what is wrong with it
   */
  append(
    call: string,
    name: string,
    update: Uint8Array,
    faultOf?: (update: Uint8Array, name: string) => string | undefined,
  ): Promise<void> {
    try {
      const fault = faultOfBytes(update, 'update') ?? faultOf?.(update, 'update');
      if (fault !== undefined) throw refusal(call, name, fault);
      return this.log(name).append(update);
    } catch (error) {
      return this.refused('append', name, error as SDS_PersistenceError);
    }
  }

  /** Rejects with what is told anyway. */
  refused(...[kind, name, error]: Parameters<Trouble['tell']>): Promise<never> {
    this.trouble.tell(kind, name, error);
    const refused = Promise.reject<never>(error);
    refused.catch(() => undefined);
    return refused;
  }

  /** Resolves once the logs of a document that are being closed are closed. */
  async untilClosed(name: string): Promise<void> {
    const closing = this.#named(name).filter((log) => log.isClosing);
    await Promise.allSettled(closing.map((log) => log.close()));
  }

  /** The log of a document that need not be open, for one call; it is kept for the next one. */
  log(name: string): CompactedLog {
    return this.#use(name).log;
  }

  /** The same for more than one call: it stays open until these are done. */
  async use<T>(name: string, work: (log: CompactedLog) => Promise<T>): Promise<T> {
    const kept = this.#use(name);
    const { log } = kept;
    const { provider } = log;
    kept.calls++;
    try {
      return await work(log);
    } catch (error) {
      log.noteLoss(error, provider);
      throw error;
    } finally {
      kept.calls--;
      kept.isUsed = true;
    }
  }

  #use(name: string): Kept {
    const kept = this.#kept.get(name) ?? this.#keep(name, this.open(name));
    kept.isUsed = true;
    return kept;
  }

  /** Or one that is kept by then: a subscriber, who is told that the store is being opened, may have called as well. */
  #keep(name: string, log: CompactedLog): Kept {
    const other = this.#kept.get(name);
    if (other !== undefined) {
      void Promise.allSettled([this.close(log)]);
      return other;
    }
    if (this.#kept.size === 0) this.#sweepLater();
    const kept = { log, calls: 0, isUsed: true };
    this.#kept.set(name, kept);
    return kept;
  }

  #sweepLater(): void {
    later(() => {
      for (const [name, kept] of this.#kept) {
        if (kept.calls === 0 && !kept.isUsed && !kept.log.isCompacting) {
          this.#kept.delete(name);
          void Promise.allSettled([this.close(kept.log)]); // what is not stored was told by the log
        }
        kept.isUsed = false;
      }
      if (this.#kept.size > 0) this.#sweepLater();
    }, KEEP_MS);
  }

  /** As the process ends. What fails is waited for only so long: each may wait for a lock by itself. */
  storeAtExit(): void {
    let leftMs = EXIT_PATIENCE_MS;
    const lost = this.#logs().filter((log) => {
      const begunAt = performance.now();
      if (log.storeAtExit(leftMs)) return false;
      leftMs -= performance.now() - begunAt;
      return true;
    });
    if (lost[0] === undefined) return;
    const which = namesOf(lost[0].name, lost.length - 1);
    sayAtExit(`an update of document ${which} in '${this.trouble.database}' may not be stored as the process ends`);
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** What calls reject with after that. */
  closed(): SDS_PersistenceError {
    return new SDS_PersistenceError('closed', `'${this.trouble.database}' is closed; open it anew`);
  }

  /** Has documents leave, closes all logs, and releases the database, even if it rejects. Calling it again is the same call. */
  closeAll(leave: Leave = () => new Map()): Promise<void> {
    this.#closing ??= this.#closeAll(leave);
    return this.#closing;
  }

  async #closeAll(leave: Leave): Promise<void> {
    const lacking = new Set(this.#logs().filter((log) => log.isIncomplete && !log.isClosing));
    const leaving = leave();
    const before = this.#logs(); // also those that somebody was led to open in there
    this.#kept.clear(); // no call is served from now on
    await Promise.allSettled(leaving.values());
    const logs = [...new Set([...before, ...this.#logs()])]; // and those in whose opening this was called
    const end = async (log: CompactedLog) => {
      await this.close(log); // also of one that has left
      await leaving.get(log);
    };
    const ended = await Promise.allSettled(logs.map(end));
    try {
      await this.anchor.close();
    } finally {
      this.#open.clear(); // whoever keeps this one keeps no document that could not be stored
      all.delete(this.#self);
      if (all.size === 0) process.off('exit', storeAtExit);
    }
    const lost = logs.flatMap((log, at) =>
      ended[at]?.status === 'rejected' ? [{ log, error: ended[at].reason as unknown }] : [],
    );
    for (const { log, error } of lost) {
      // else its log has told of this attempt: not of what can't be encoded, of which it knows nothing
      const isUntold = lacking.has(log) || !(error instanceof SDS_PersistenceError);
      if (isUntold) this.trouble.tell('write', log.name, error);
    }
    if (lost[0] !== undefined) throw notStored(lost[0].log.name, lost.length - 1, lost[0].error);
  }
}

function notStored(name: string, others: number, thrown: unknown): SDS_PersistenceError {
  const cause = toldAs('write', name, thrown);
  const message = `an update of document ${namesOf(name, others)} is not stored: ${cause.message}`;
  return new SDS_PersistenceError(cause.code, message, { cause });
}

function namesOf(name: string, others: number): string {
  return others === 0 ? shown(name) : `${shown(name)} (and of ${others} more)`;
}
