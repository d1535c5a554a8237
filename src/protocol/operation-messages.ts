/** Operations on whole files and databases: the messages between the main thread and the thread that carries them out. */
import type { ReportedCause, SDS_PersistenceErrorCode } from './errors.ts';
import type {
  SDS_BackupResult,
  SDS_CompactResult,
  SDS_CopyResult,
  SDS_DatabaseDescription,
  SDS_Finding,
  SDS_OperationProgress,
  SDS_VerifyResult,
} from './operations.ts';
import type { PostgresqlTarget } from './postgresql/url.ts';

/** Task name: what the worker gets, and what it answers. */
export interface OperationTasks {
  backup: {
    given: { source: string; target: string; pagesPerStep: number; overwrite: boolean };
    result: SDS_BackupResult;
  };
  restore: { given: { source: string; target: string; overwrite: boolean; verify: boolean }; result: SDS_BackupResult };
  structure: { given: { path: string }; result: PartialCheck };
  rows: { given: { path: string; way: LookWay }; result: PartialCheck };
  compact: { given: { path: string }; result: SDS_CompactResult };
  describe: { given: { path: string; quick: boolean }; result: SDS_DatabaseDescription };
  copy: { given: CopyTask; result: SDS_CopyResult };
}

/** A database file, or a PostgreSQL database. */
export type CopyEnd = { file: string; server?: undefined } | { file?: undefined; server: PostgresqlTarget };

/** */
export interface CopyTask {
  /** For messages: what the first source is. */
  path: string;
  sources: CopyEnd[];
  target: CopyEnd;
  stores: string[] | undefined;
  overwrite: boolean;
  values: boolean;
  salvage: boolean;
  /** Where the package `pg` is looked for. */
  modules: string[];
}

/** */
export type OperationTask = keyof OperationTasks;

/**
 * Ways to read a file. `reads`: as any SQLite program, read-only. `still`: one that has no log; only the file itself is
 * read, without a lock, and looked at again afterwards. `alone`: the same with a log whose index can't be made.
 */
export type LookWay = 'reads' | 'still' | 'alone';

/** One half of a verification: the structure is checked by one thread, the rows by another. */
export interface PartialCheck {
  path: string;
  findings: SDS_Finding[];
  checked: Partial<SDS_VerifyResult['Checked']>;
}

/** */
export interface OperationRequest {
  task: OperationTask;
  /** For error messages: the function that was called. */
  call: string;
  given: OperationTasks[OperationTask]['given'];
}

/** Cells that are shared with the worker. Main: 1 asks it to stop. */
export const STOP = 0;
/** Main: how many messages of progress its caller was told of. */
export const HEARD = 1;

/** */
export interface OperationData {
  owner: string;
  cells: SharedArrayBuffer;
  /** A cell that changes whenever something was committed for the calling thread. */
  traffic: SharedArrayBuffer;
}

/** Where a native call that says nothing of itself is: bytes read by a thread, or the size of a file. */
export interface Gauge {
  thread?: number;
  file?: string;
}

/** */
export type OperationReply =
  | { kind: 'progress'; progress: SDS_OperationProgress; gauge?: Gauge }
  /** The rows may now be checked by another thread, that reads in the same way. */
  | { kind: 'opened'; way: LookWay }
  | { kind: 'done'; result: unknown; endThread: boolean }
  | { kind: 'stopped'; endThread: boolean }
  | {
      kind: 'failed';
      code: SDS_PersistenceErrorCode;
      path: string;
      detail: string;
      cause: ReportedCause | undefined;
      /** The file changed while it was read without a lock: trying again may help. */
      changed: boolean;
      endThread: boolean;
    };
