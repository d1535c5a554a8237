/** The provider's options, their defaults and limits. */

export interface SDS_ProviderOptions {
  /**
   * `'normal'` (default): what a resolved promise stands for survives the end of the process, however
   * it ends; a power cut may take the commits since the last checkpoint, never damages the file.
   * `'full'`: it survives a power cut as well, each commit waits for the disk. If several providers
   * of a process share a file, it is kept at the strongest of their levels.
   */
  Durability?: 'normal' | 'full';
  /**
   * When the promises of `saveSnapshot`, `prunePatches`, `saveValue` and `releaseValue` resolve. `'queued'` (default):
   * at once, as those of the synchronous provider, so that nothing runs between the call and what follows its `await`;
   * the call takes effect in its order, some milliseconds later, and only SIGKILL, or a crash of the process, can come
   * before that. A failure is told by a process warning (`SDS_WRITE_FAILED`), on the channel
   * `sds-persistence:write-failed` and by the next `flush` and `close`; from then on that method waits for its outcome
   * until it has succeeded once, as it does before the database was opened; and a `prunePatches` behind a snapshot that
   * was not stored deletes nothing. `'committed'`: once the call is committed.
   *
   * The promise of `appendPatch` stands for its commit in either mode.
   */
  Acknowledge?: 'queued' | 'committed';
  /**
   * For how many milliseconds a write waits for another process's write before it rejects with `database-busy`; on PostgreSQL also
   * `ready()` and loads for a store that another process has, before they reject with `fenced`; these wait for 5000 more than `LeaseMs`
   * if this is not given. Default 5000; 0 does not wait. The event loop stays free meanwhile.
   */
  BusyTimeoutMs?: number;
  /**
   * If true, `saveSnapshot` takes over the caller's buffer: it is detached at the call and crosses
   * without a copy. What can't be taken over is copied. Default false.
   */
  TransferSnapshots?: boolean;
  /**
   * How many bytes may wait for their commit in one worker thread before a call is held (or refused,
   * see `Overflow`), counted by the memory that they lie in; calls of more than 128 KB are counted apart. Default 64 MiB. The first
   * provider of a worker also fixes how much room there can be for calls of up to 128 KB, at least 8 MiB.
   */
  MaxPendingBytes?: number;
  /**
   * What happens to a call when `MaxPendingBytes` are waiting: `'block'` holds the caller inside the call until there
   * is room, as a synchronous provider would have; `'reject'` rejects it with `queue-full`. Default `'block'` for
   * files, where there is room after the next commit, and `'reject'` on PostgreSQL, where a server that is away would
   * hold the event loop for `RetryForMs`.
   */
  Overflow?: 'block' | 'reject';
  /**
   * What `appendPatch` does if the number is taken by a patch of other bytes. `'ignore'`: the first one wins, as with
   * the synchronous provider, and the new one is **lost**; a process warning with the code `SDS_CLOCK_COLLISION` says
   * so once per store. `'keep'` stores it under the next free number. `'keep-concurrent'` (default) does that
   * once another provider of this process has appended to the store while this one was open, so that neither can know the
   * other's numbers; before that it is `'ignore'`.
   * A patch that is repeated under its number is stored once in any mode, one that was kept under a higher number too:
   * the same bytes under a number that is passed over are taken for it. Under a free number it is stored always.
   */
  OnClockCollision?: 'ignore' | 'keep' | 'keep-concurrent';
  /**
   * If true, a value whose hash looks like a SHA-256 (64 hexadecimal digits) must match it: `saveValue` rejects with
   * `invalid-argument` and `loadValue` with `database-corrupt` if it does not. Values with other names are not
   * verified. Default false.
   */
  VerifyValues?: boolean;
  /**
   * On PostgreSQL: who may write the store. `'exclusive'` (default): this process alone, enforced by the server; a process
   * that was paused for longer than `LeaseMs` and comes back gets `fenced` once another one has taken over.
   * `'shared'`: any number of processes; where numbers meet, `OnClockCollision` decides.
   */
  Ownership?: 'exclusive' | 'shared';
  /**
   * On PostgreSQL, as the following options, which hold for all providers of a database in a process (one that is given
   * another value than the first one's is refused): for how
   * many milliseconds this process keeps its stores without a sign of life, by the server's
   * clock. Default 10,000; at least 1,000. A short one lets another process take over sooner.
   */
  LeaseMs?: number;
  /**
   * On PostgreSQL: whether to make tables that are missing. Default true. If false, opening rejects with
   * `open-failed` where they are; `postgresqlSchema` is what makes them.
   */
  CreateTables?: boolean;
  /**
   * On PostgreSQL: asked in this thread for the password of each connection, in the place of the one in the URL: tokens of
   * databases in the cloud expire after minutes. While it fails, or does not answer within `ConnectTimeoutMs`, the server
   * counts as away; a blocked thread can't be asked.
   */
  Password?: () => Promise<string>;
  /** On PostgreSQL: how many milliseconds an attempt to connect to one host may take. Default 5,000. */
  ConnectTimeoutMs?: number;
  /**
   * On PostgreSQL: for how many milliseconds calls wait for a server that can't be reached, or is lost, before they
   * reject with `connection-failed`. Default 30,000; 0 tries once; at most 1,800,000 (half an hour).
   */
  RetryForMs?: number;
}

type Settings = Required<Omit<SDS_ProviderOptions, 'Password'>> & Pick<SDS_ProviderOptions, 'Password'>;

export interface ProviderSettings extends Settings {
  /** For how long `ready()` and loads wait for a store that another process has: that of a killed one is free once its lease has run out. */
  StoreWaitMs: number;
}

export const defaultSettings: Readonly<Settings> = {
  Durability: 'normal',
  Acknowledge: 'queued',
  BusyTimeoutMs: 5000,
  TransferSnapshots: false,
  MaxPendingBytes: 64 * 1024 * 1024,
  Overflow: 'block',
  OnClockCollision: 'keep-concurrent',
  VerifyValues: false,
  Ownership: 'exclusive',
  LeaseMs: 10_000,
  CreateTables: true,
  ConnectTimeoutMs: 5000,
  RetryForMs: 30_000,
};

/** Those that hold for all providers of a database on a server in this process. */
export const sharedOptions = ['LeaseMs', 'CreateTables', 'ConnectTimeoutMs', 'RetryForMs'] as const;

/** What differs for a database on a server. */
export const serverDefaults: Readonly<Partial<Settings>> = { Overflow: 'reject' };
