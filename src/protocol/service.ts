/**
 * What the worker offers through Comlink, and the messages that cross. Patches do not: see slabs. Batches
 * and their answers are messages of their own on the same port: a Comlink call keeps the main thread
 * longer (measured by the benchmark's `design-hand-over`).
 */
import type { ReportedCause, SDS_PersistenceErrorCode } from './errors.ts';

/** A provider as the worker knows it. */
export interface MemberMessage {
  member: number;
  lane: number;
  dbPath: string;
  /** Whether the database is in memory, and gone with its connection. */
  transient: boolean;
  storeId: string;
  full: boolean;
  busyTimeoutMs: number;
  keepCollisions: boolean;
  verifyValues: boolean;
}

/** A batch that did not go by the ring, since it has attachments, or reads, or came early. */
export interface BatchMessage {
  direct: 'batch';
  /** Comes back with the answers. */
  reply: number;
  lane: number;
  batch: number;
  firstSlab: number;
  /** Large byte arguments by index; `undefined` where one went down with a lost worker. */
  attachments: (Attachment | undefined)[];
  /** The writes are committed already, a lost worker took only the answers with it. */
  readsOnly: boolean;
  /** So many bytes of shared blocks that came here before are not used any more. */
  dropped: number;
}

/** Makes a worker that is in its event loop look at the ring. */
export interface WakeMessage {
  direct: 'wake';
  /** As above; nothing else may come for long. */
  dropped: number;
}

/** The batch is through: the answers of its reads, except those that failed. */
export interface AnswersMessage {
  direct: 'answers';
  reply: number;
  answers: ReadResult[];
}

/** Whether a message is one of these; all others are Comlink's. */
export function isDirect(message: unknown): message is BatchMessage | WakeMessage | AnswersMessage {
  return typeof message === 'object' && message !== null && 'direct' in message;
}

/** Bytes beside the slabs: a view's buffer, handed over or shared. */
export interface Attachment {
  buffer: ArrayBuffer | SharedArrayBuffer;
  start: number;
  length: number;
}

/** What a read found, and which promise waits for it: bytes, or patches as bounded blocks and the length of each patch. */
export type ReadResult =
  | { settler: number; kind: 'bytes'; bytes: Uint8Array | undefined }
  | { settler: number; kind: 'patches'; blocks: { bytes: Uint8Array; lengths: Int32Array }[] };

/** What became of an `attach` or `detach`. */
export interface Report {
  error?: { code: SDS_PersistenceErrorCode; cause: ReportedCause };
  /** SQLite's version, for the warning about versions with a known fault. */
  sqliteVersion?: string;
}

export interface WorkerService {
  /** Makes a provider known and opens its database. */
  attach(message: MemberMessage): Promise<Report>;
  /** Forgets a provider, after all that was called before; with a file's last one, closes the database. */
  detach(member: number): Promise<Report>;
  /** Closes all files, as the process ends. */
  retire(): void;
}
