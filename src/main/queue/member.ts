/** A provider as its file sees it: the store it speaks for, and the promise its next patch will share. */
import type { SDS_PersistenceError } from '../../protocol/errors.ts';
import type { ProviderSettings } from '../../protocol/options.ts';

/** Told once something is settled: of the first failure of each provider, if there was one. */
export type Watcher = (failures: ReadonlyMap<Member, SDS_PersistenceError> | undefined) => void;

export class Member {
  /** Number of the provider within its worker. */
  readonly id: number;
  readonly dbPath: string;
  readonly storeId: string;
  readonly settings: ProviderSettings;
  /** The batch whose patches share `promise`; a call in between that is no patch ends the run. */
  run: object | undefined;
  runSettler = 0;
  runPromise: Promise<void> = Promise.resolve();
  /** How often the store had changed hands when this process came to own it, if it is told. */
  epoch: number | undefined;
  /** Whether a call of it was carried out: then its store was this process's, whether the epoch is told or not. */
  served = false;
  /** Patches lost since their number was taken by other bytes. */
  collisions = 0;
  /** Batches and large writes in which a call of this provider failed. */
  failures = 0;

  constructor(id: number, dbPath: string, storeId: string, settings: ProviderSettings) {
    this.id = id;
    this.dbPath = dbPath;
    this.storeId = storeId;
    this.settings = settings;
  }
}
