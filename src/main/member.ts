/** A provider as its lane sees it: the store it speaks for, and the promise its next patch will share. */
import type { ProviderSettings } from '../protocol/options.ts';
import type { Batch } from './batch.ts';

export class Member {
  /** Number of the provider within its line. */
  readonly id: number;
  readonly dbPath: string;
  readonly storeId: string;
  readonly settings: ProviderSettings;
  /** Patches of this batch that share `promise`; a call in between that is no patch ends the run. */
  run: Batch | undefined;
  runSettler = 0;
  runPromise: Promise<void> = Promise.resolve();
  /** Patches lost since their number was taken by other bytes. */
  collisions = 0;
  /** Batches in which a call of this provider failed. */
  failures = 0;

  constructor(id: number, dbPath: string, storeId: string, settings: ProviderSettings) {
    this.id = id;
    this.dbPath = dbPath;
    this.storeId = storeId;
    this.settings = settings;
  }
}
