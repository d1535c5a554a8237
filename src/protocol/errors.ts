/** Error codes, the error class, and the one sentence that each code stands for. */

/**
 * The codes by which a program can tell what went wrong. They are frozen: a later version may add
 * one, but never rename one. The order is part of the protocol between the threads (a call's
 * outcome is the index of its code), so append only.
 */
export const errorCodes = [
  'invalid-argument',
  'closed',
  'open-failed',
  'schema-mismatch',
  'database-busy',
  'database-full',
  'database-corrupt',
  'read-only',
  'io-error',
  'worker-lost',
  'queue-full',
  'file-exists',
  'connection-failed',
  'fenced',
] as const;

/**
 * What went wrong; nothing of the call is stored unless it says so here:
 *
 * - `invalid-argument`: an argument or an option is not acceptable.
 * - `closed`: the call came after `close()` or `destroy()`.
 * - `open-failed`: the database could not be opened; the next call tries again.
 * - `schema-mismatch`: the database has tables of another shape, or is another program's.
 * - `database-busy`: another process kept it locked for longer than `BusyTimeoutMs`.
 * - `database-full`: there is no room on the disk; later calls succeed once there is.
 * - `database-corrupt`: the file is damaged, or bytes are not what they should be.
 * - `read-only`: the file, its log or its folder can't be written.
 * - `io-error`: the operating system, or the server, reported an error.
 * - `worker-lost`: the thread that had the bytes, or the answer, was lost.
 * - `queue-full`: more than `MaxPendingBytes` are waiting.
 * - `file-exists`: an operation would replace something, without `Overwrite`.
 * - `connection-failed`: the server was away for longer than `RetryForMs`; what was under way may be stored or not.
 * - `fenced`: on PostgreSQL, the store belongs to another process.
 */
export type SDS_PersistenceErrorCode = (typeof errorCodes)[number];

/** What is the matter, and after a semicolon what to do; the reason that SQLite or the system gave is put in between. */
const sentences: Record<SDS_PersistenceErrorCode, string> = {
  'invalid-argument': 'an argument is not acceptable',
  closed: 'the provider is closed; make another one for the same store',
  'open-failed': 'the database could not be opened; check the path, and that it is an SQLite database or a new one',
  'schema-mismatch': 'this is no file of this package; it was left untouched: name another one',
  'database-busy':
    'another process kept the database locked for longer than BusyTimeoutMs; nothing was stored: call again',
  'database-full': 'the disk or the database is full; make room and call again',
  'database-corrupt': 'the database file is damaged; restore it from a copy',
  'read-only':
    'the database can not be written; check the permissions of the file, its log (-wal, -shm) and its folder',
  'io-error': 'the operating system reported an error while accessing the file; check the disk, and call again',
  'worker-lost': 'the worker thread was lost before the call could be carried out; nothing was stored: call again',
  'queue-full': 'more bytes are waiting than MaxPendingBytes allows; await earlier calls, or flush(), first',
  'file-exists': 'what would be made is there already; it was left as it is: Overwrite replaces it',
  'connection-failed':
    'the server could not be reached, or was lost, for longer than RetryForMs; a call that was under way may be stored or not',
  fenced:
    'the store belongs to another process; nothing was stored. Close this provider, and open it where the store belongs',
};

/**
 * The error of this package: besides it, calls reject only with the reason of a signal that stopped them, or what code of the
 * program has thrown. `code` tells the kind, the message names the call, the database file, the reason and what to do, and
 * `cause` is what SQLite or Node reported, where there was such a report.
 * Messages may change from version to version; codes do not.
 *
 * @example
 * try {
 *   await Provider.appendPatch(Patch, 1)
 * } catch (Signal) {
 *   if (Signal instanceof SDS_PersistenceError && Signal.code === 'database-full') { makeRoom() }
 * }
 */
export class SDS_PersistenceError extends Error {
  override readonly name = 'SDS_Error';
  readonly code: SDS_PersistenceErrorCode;

  constructor(Code: SDS_PersistenceErrorCode, Message: string, Options?: { cause?: unknown }) {
    super(Message, Options);
    this.code = Code;
  }
}

/** How a database on a server is named where a file has its path. */
export const SERVER_LABEL = 'PostgreSQL database';

export function isOnServer(dbPath: string): boolean {
  return dbPath.startsWith(SERVER_LABEL);
}

/** Of a database on a server, some codes mean something else. */
export const serverSentences: Partial<Record<SDS_PersistenceErrorCode, string>> = {
  'open-failed': 'the database could not be opened; check the URL and its account',
  'schema-mismatch':
    'the database has tables of another shape or version, or they are gone; restore them, or close all its providers in this process, and open them anew or name another one',
  'database-busy':
    'a lock was not to be had, or a statement took longer than the server allows; nothing was stored: call again',
  'database-full': "the server's disk is full; make room and call again",
  'database-corrupt': 'the database is damaged; restore it from a copy',
  'read-only': 'the database can not be written; check the rights of the user, and that the server is no standby',
  'io-error': "the server reported an error; see the server's log",
};

const UNREADABLE =
  "a part of the file can not be read from its disk; copy it with a tool such as ddrescue, and save what can be read of that copy ('copy --salvage')";

/** Of some of SQLite's result codes (https://sqlite.org/rescode.html): it is not, or not only, the disk that may be at fault. */
const resultSentences: Record<number, string> = {
  7: 'there is not enough memory for this; free some, or raise the limit, and call again',
  266: UNREADABLE,
  8458: UNREADABLE,
  778: 'the file could not be written; check the disk, and limits on the size of files (ulimit -f), and call again',
  3850: 'the file could not be locked; put it on a file system that has locks, such as that of a local disk, and call again',
  5386: "the log's index (-shm) could not be mapped into memory; put the file on a file system that permits it, or raise the limit on memory",
};

/** What to say of a failure that its code says too little of. */
export function sentenceOf(code: SDS_PersistenceErrorCode, errcode = 0): string | undefined {
  return code === 'io-error' || code === 'open-failed' ? resultSentences[errcode] : undefined;
}

/** Where the system says EMFILE (of this process) or ENFILE (of all). */
export const TOO_MANY_FILES =
  'too many files are open; close providers that are not needed any more, or raise the limit (ulimit -n)';

/** What SQLite or Node said, in a form that crosses threads with nothing lost. */
export interface ReportedCause {
  message: string;
  /** Node's code, for instance `ERR_SQLITE_ERROR` or `ENOENT`. */
  code?: string | undefined;
  /** SQLite's extended result code, for instance 778 for a failed write. */
  errcode?: number | undefined;
}

/** The same of whatever was thrown. */
export function reportedOf(thrown: unknown): ReportedCause {
  if (!(thrown instanceof Error)) return { message: String(thrown) };
  const { message, code, errcode } = thrown as Error & { code?: unknown; errcode?: unknown };
  return {
    message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof errcode === 'number' ? { errcode } : {}),
  };
}

/** `detail` replaces the code's sentence. Programs print the message alone: it names the cause's reason. */
export function makeError(
  code: SDS_PersistenceErrorCode,
  call: string,
  dbPath: string,
  detail?: string,
  cause?: unknown,
): SDS_PersistenceError {
  const found = (cause ?? {}) as Partial<ReportedCause>;
  const isTooMany = ['EMFILE', 'ENFILE'].includes(found.code ?? '');
  const isServer = isOnServer(dbPath);
  const ofPlace = isServer ? serverSentences[code] : sentenceOf(code, found.errcode);
  const sentence = code === 'open-failed' && isTooMany ? TOO_MANY_FILES : (ofPlace ?? sentences[code]);
  const reason = typeof found.message === 'string' ? found.message : '';
  // what was found out here, in what is stored, and says what to do, stands for itself: neither SQLite nor the system has said it
  const isOwn = (!isServer || code === 'database-corrupt') && found.code === undefined && found.errcode === undefined;
  const said = isOwn && reason.includes('; ') ? reason : sentence;
  const message = `${call} ('${dbPath}'): ${withReason(detail ?? said, reason)}`;
  return new SDS_PersistenceError(code, message, cause === undefined ? undefined : { cause });
}

function withReason(sentence: string, reason: string): string {
  if (sentence.includes(reason)) return sentence;
  const [what, ...advice] = sentence.split('; ');
  return [`${what} (${reason})`, ...advice].join('; ');
}

/** A failure, as it crosses threads. */
export interface Failure {
  code: SDS_PersistenceErrorCode;
  cause: ReportedCause;
  detail?: string;
}

/** What a program gets of one that a worker has reported. */
export function reviveError({ code, cause, detail }: Failure, call: string, path: string): SDS_PersistenceError {
  return makeError(code, call, path, detail, reviveCause(cause));
}

/** The reverse: what a worker has to know of it. */
export function failureOf(error: SDS_PersistenceError): Failure {
  const { code, message, cause } = error;
  return { code, cause: { message: cause instanceof Error ? cause.message : message } };
}

/** Turns a reported cause back into an error object, to be some error's `cause`. */
export function reviveCause(reported: ReportedCause): Error {
  const error = new Error(reported.message);
  if (reported.code !== undefined) Object.assign(error, { code: reported.code });
  if (reported.errcode !== undefined) Object.assign(error, { errcode: reported.errcode });
  return error;
}
