/** Operations on whole files and databases: the messages between the main thread and the thread that carries them out. */
import type { MessagePort } from 'node:worker_threads';
import type { ReportedCause, SDS_PersistenceErrorCode } from './errors.ts';
import type {
  SDS_BackupResult,
  SDS_CompactResult,
  SDS_CopyResult,
  SDS_DatabaseDescription,
  SDS_OperationProgress,
  SDS_VerifyResult,
} from './operations.ts';
import type { PostgresqlTarget } from './postgresql/url.ts';

/** By name: what the worker gets, and what it answers. `path` is the file that a failure is about, if it is about no other. */
export interface Operations {
  /** Also of one that is restored: then SQLite looks through it first. */
  backup: { given: { path: string; target: string; overwrite: boolean; verify: boolean }; result: SDS_BackupResult };
  verify: { given: { path: string }; result: SDS_VerifyResult };
  compact: { given: { path: string }; result: SDS_CompactResult };
  describe: { given: { path: string; quick: boolean }; result: SDS_DatabaseDescription };
  copy: { given: CopyArguments; result: SDS_CopyResult };
}

/** A database file, or a PostgreSQL database. */
export type CopyEnd = { file: string; server?: undefined } | { file?: undefined; server: PostgresqlTarget };

export interface CopyArguments {
  /** What the first source is. */
  path: string;
  sources: CopyEnd[];
  target: CopyEnd;
  stores: string[] | undefined;
  overwrite: boolean;
  values: boolean;
  salvage: boolean;
  /** Files and folders from where to look for the package `pg`. */
  searchPaths: string[];
}

export type OperationName = keyof Operations;

export interface OperationRequest {
  operation: OperationName;
  given: Operations[OperationName]['given'];
}

/** What the cell that is shared with the worker holds: the operation goes on; nothing of it may appear; its result may appear. */
export const RUNNING = 0;
export const STOPPED = 1;
export const ALLOWED = 2;

export interface OperationData {
  owner: string;
  cell: SharedArrayBuffer;
  /** A cell that changes whenever something was committed for the calling thread. */
  traffic: SharedArrayBuffer;
  port: MessagePort;
}

/** What the worker tells; the last one of an operation is its end. */
export type OperationReply =
  | { kind: 'progress'; progress: SDS_OperationProgress }
  /** Its result is about to appear, once the main thread has allowed that. */
  | { kind: 'ready' }
  /** With `endThread` its files are closed by the end of the thread. */
  | { kind: 'end'; outcome: OperationOutcome; endThread: boolean };

export type OperationOutcome =
  | { kind: 'done'; result: unknown }
  | { kind: 'stopped' }
  | { kind: 'failed'; code: SDS_PersistenceErrorCode; path: string; detail: string; cause: ReportedCause | undefined };
