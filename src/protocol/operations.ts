/** Operations on whole files and databases: what callers give and get. */

/** How far an operation is. */
export interface SDS_OperationProgress {
  /**
   * What it is doing: `'copy'` bytes of a file, check its `'structure'` (SQLite's own check), go through its
   * `'values'` or `'rows'`, or `'rebuild'` it.
   */
  Phase: 'copy' | 'structure' | 'values' | 'rows' | 'rebuild';
  /** How much of `Total` is done, in `Unit`. Begins anew if another program changed the file meanwhile. */
  Done: number;
  Total: number;
  Unit: 'bytes' | 'rows';
  /** Of copies of stores: how many are copied, of how many. */
  Stores?: number;
  StoresInAll?: number;
}

/** An `AbortSignal`, which not every set of type declarations knows. */
export interface SDS_StopSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface SDS_OperationOptions {
  /** Called at most ten times a second, on the calling thread. If it throws, the operation is stopped. */
  OnProgress?: (Progress: SDS_OperationProgress) => void;
  /** Stops the operation, which then rejects with the signal's reason and leaves nothing behind. */
  Signal?: SDS_StopSignal;
}

export interface SDS_BackupOptions extends SDS_OperationOptions {
  /** Whether a file under the final name is replaced. Default false: `file-exists`. */
  Overwrite?: boolean;
}

export interface SDS_RestoreOptions extends SDS_OperationOptions {
  /** Whether a database under the final name is replaced, which nobody may have open. Default false. */
  Overwrite?: boolean;
  /** Whether the backup goes through SQLite's quick check first. Default true. */
  Verify?: boolean;
}

export interface SDS_CopyOptions extends SDS_OperationOptions {
  /** The stores to copy. Default: all. */
  Stores?: string[];
  /** Whether stores of these names are replaced in the target. Default false: `file-exists`. */
  Overwrite?: boolean;
  /** Whether the values are copied too, all of the file's, because no store owns any. Default true. */
  Values?: boolean;
  /**
   * Of files: whether rows that can't be read, and rows that no provider writes, are left out and counted (`LeftOut`); else they
   * are `database-corrupt`, and nothing is copied. Slow: each row is read by itself. Default false.
   */
  Salvage?: boolean;
}

export interface SDS_DescribeOptions extends SDS_OperationOptions {
  /** True: no stores and values are counted, which takes a look at every row. Default false. */
  Quick?: boolean;
}

export interface SDS_BackupResult {
  /** The real path of the finished file. */
  Path: string;
  Bytes: number;
  Pages: number;
  DurationMs: number;
}

export interface SDS_CompactResult {
  /** The real path of the file. */
  Path: string;
  /** With what its log held. */
  BytesBefore: number;
  BytesAfter: number;
  DurationMs: number;
}

export interface SDS_CopyResult {
  /** The real path of the target, or how messages name it if that is a PostgreSQL database. */
  Path: string;
  /** How many were copied, from all sources together; so are the next four. */
  Stores: number;
  Snapshots: number;
  Patches: number;
  Records: number;
  Values: number;
  /** With `Salvage`: how many rows were left out, or at least as many, where a damaged file does not tell how many there were. */
  LeftOut: number;
  DurationMs: number;
}

/** Something that is wrong with a file, or odd. */
export interface SDS_Finding {
  /** What kind: see the table in docs/operations.md. Codes are frozen. */
  Code: SDS_FindingCode;
  /** `'error'`: data is damaged, or can't be read; `'odd'`: no program of this package leaves a file like this. */
  Severity: 'error' | 'odd';
  Message: string;
  /** What to do about it. */
  Advice: string;
  /** How many rows are concerned; the message names the first. */
  Count: number;
}

export type SDS_FindingCode =
  | 'empty-file'
  | 'unreadable'
  | 'structure'
  | 'schema'
  | 'tables-missing'
  | 'wrong-type'
  | 'clock-range'
  | 'reference-count'
  | 'value-mismatch'
  | 'patches-without-start'
  | 'patch-gap';

export interface SDS_VerifyResult {
  Path: string;
  /** Whether nothing was found. */
  Sound: boolean;
  Findings: SDS_Finding[];
  /** What was looked at. */
  Checked: {
    Bytes: number;
    Patches: number;
    Snapshots: number;
    Records: number;
    Values: number;
    ValuesWithHash: number;
  };
  DurationMs: number;
}

export interface SDS_StoreDescription {
  StoreId: string;
  /** Bytes and patch number of the snapshot; `undefined` if there is none. */
  SnapshotBytes: number | undefined;
  SnapshotClock: number | undefined;
  Patches: number;
  PatchBytes: number;
  FirstClock: number | undefined;
  LastClock: number | undefined;
  Records: number;
  RecordBytes: number;
}

export interface SDS_DatabaseDescription {
  Path: string;
  /** Size of the file, of its log (`-wal`), and of the log's index (`-shm`); 0 if there is none. */
  Bytes: number;
  LogBytes: number;
  IndexBytes: number;
  /** When the file or its log was written last. */
  ModifiedAt: string;
  /** What SQLite says of the file: size of a page, pages, pages without content, text encoding. */
  PageBytes: number;
  Pages: number;
  FreePages: number;
  Encoding: string;
  /** Whether the tables are those of this package; if not, what is there instead. */
  IsStoreFile: boolean;
  Schema: string;
  /** The patch that was stored last, by its row number, which grows with each; `undefined` if there is none. */
  NewestPatch: { Row: number; StoreId: string; Clock: number; Bytes: number } | undefined;
  /** `undefined` with `Quick`, and if it is no store file. */
  Stores: SDS_StoreDescription[] | undefined;
  Values: { Count: number; Bytes: number; References: number } | undefined;
  /** Of all stores. */
  Records: { Count: number; Bytes: number } | undefined;
}
