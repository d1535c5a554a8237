/** What an operation fails with, and how errors of SQLite and of the system become that. */

import { constants } from 'node:fs';
import { dirname } from 'node:path';
import {
  type ReportedCause,
  type SDS_PersistenceErrorCode,
  sentenceOf,
  TOO_MANY_FILES,
} from '../../protocol/errors.ts';
import { EngineError } from '../engine.ts';
import { CANNOT_OPEN, IO_ERROR, NOT_A_DATABASE, primaryCode, toEngineError } from '../sqlite/errors.ts';
import { systemError, withSystemReason } from '../sqlite/no-room.ts';
import { noMoreFiles, refusedAccess } from '../sqlite/refused-access.ts';

/** `path` is the file that the failure is about: source and target of an operation differ. */
export class OperationError extends Error {
  readonly code: SDS_PersistenceErrorCode;
  readonly path: string;
  readonly reported: ReportedCause | undefined;

  constructor(code: SDS_PersistenceErrorCode, path: string, detail: string, reported?: ReportedCause) {
    super(detail);
    this.code = code;
    this.path = path;
    this.reported = reported;
  }
}

/** The file was written while it was read without a lock, so what was read may be no state of it at all. */
export class ChangedMeanwhile extends OperationError {
  constructor(path: string) {
    super('database-busy', path, 'another program goes on changing the file while it is read; try again');
  }
}

/** The caller's signal has asked for an end. */
export class Stopped extends Error {}

const sentences: Partial<Record<SDS_PersistenceErrorCode, string>> = {
  'database-busy':
    'another program, or a provider of this one, has the file open or locked; close it there and try again',
  'database-corrupt': "the file is damaged; 'verify' says where, 'restore' puts a backup in its place",
  'database-full': 'the disk is full; make room and try again',
  'read-only':
    'writing is not permitted; check the rights of the file, its log (-wal, -shm) and its folder; a damaged first page may forbid it too: then restore a backup',
};

/** Gives whatever was thrown while working on `path` a code and a sentence; keeps what has both. */
export function toFailure(thrown: unknown, path: string): Error {
  if (thrown instanceof OperationError || thrown instanceof Stopped) return thrown;
  const system = thrown as NodeJS.ErrnoException;
  if (!(thrown instanceof EngineError) && system.syscall !== undefined) return systemFailure(system, path);
  if (system.code === 'ERR_ACCESS_DENIED') return notAllowed(thrown as NotAllowed, path);
  const { code, reported } = withSystemReason(toEngineError(thrown), path);
  const primary = primaryCode(reported);
  const failed = (kind: SDS_PersistenceErrorCode, detail: string, cause = reported) =>
    new OperationError(kind, path, detail, cause);
  if (code === 'schema-mismatch') {
    return failed(code, `this is no file of this package: ${reported.message}; name another one`);
  }
  if (primary === NOT_A_DATABASE) return failed('open-failed', 'this is not an SQLite database; name another file');
  if (primary === CANNOT_OPEN && code !== 'database-full') {
    const tooMany = noMoreFiles(dirname(path));
    if (tooMany !== undefined) return systemFailure(tooMany, path);
    const refusal = refusedAccess(path, constants.R_OK);
    const cause = refusal && { ...reported, message: `${reported.message}: ${refusal.message}` };
    return failed('open-failed', NOT_OPENED, cause);
  }
  const sentence = needsItsProgram(reported.message)
    ? ITS_PROGRAM
    : reported.errcode === 0
      ? NOT_LOCKED
      : (sentences[code] ?? sentenceOf(code, reported.errcode) ?? (primary === IO_ERROR ? DISK : undefined));
  return failed(code, sentence ?? reported.message);
}

const NOT_OPENED = 'the file, or one beside it, can not be opened; check the rights of the file and its folder';

const ITS_PROGRAM =
  'a table of another program in this file uses a function or an order of texts that only that program has; ' +
  'this can not be done to such a file, but its stores can be copied into a new one';

const DISK = 'the disk, or its file system, reported an error; check them, and try again';

/** SQLite's copying has ended early, by no error: what it waits for is a lock. */
const NOT_LOCKED = 'the new file could not be locked; try again, or name a place on another file system';

/** What SQLite says if a schema names what was not given to this connection. */
export function needsItsProgram(reason: string): boolean {
  return /^(no such (collation sequence|function)|unknown function): /.test(reason);
}

const NO_RIGHTS =
  'the rights of the file or its folder do not permit this; change them, or run this as a user who has them';

/** Bytes that are no UTF-8 have become U+FFFD in a name, by which no file is found. */
const NO_UTF8: [SDS_PersistenceErrorCode, string] = [
  'open-failed',
  'there is no such file or folder, or its name is no UTF-8; check the path, or rename the file',
];

const systemCodes: Record<string, [SDS_PersistenceErrorCode, string]> = {
  ENOENT: ['open-failed', 'there is no such file or folder; check the path'],
  ENOTDIR: ['open-failed', 'a part of the path is not a folder; check the path'],
  EISDIR: ['open-failed', 'this is a folder, not a database file; name the file in it'],
  ELOOP: ['open-failed', 'there are too many symbolic links; name the file itself'],
  ENAMETOOLONG: ['open-failed', 'the name is too long; name a shorter one'],
  EACCES: ['read-only', NO_RIGHTS],
  EPERM: ['read-only', NO_RIGHTS],
  EROFS: ['read-only', 'the file system is read-only; name a place that can be written'],
  ENOSPC: ['database-full', 'the disk is full; make room and try again'],
  EDQUOT: ['database-full', 'the quota of this user is used up; make room and try again'],
  EMFILE: ['open-failed', TOO_MANY_FILES],
  ENFILE: ['open-failed', TOO_MANY_FILES],
  EFBIG: [
    'database-full',
    'no file may be as large as this; name a place on another file system, or raise the limit (ulimit -f)',
  ],
  EBUSY: [
    'io-error',
    'the file is a mount of its own, or on Windows in use; mount its folder instead, or end the program that has it open',
  ],
  EEXIST: ['file-exists', 'a file of this name is there already; it was left as it is: name another one'],
};

/** What Node's permission model throws. */
type NotAllowed = Error & { code: string; permission?: string; resource?: string };

function notAllowed(thrown: NotAllowed, path: string): OperationError {
  const { message, code, permission, resource = path } = thrown;
  const writes = permission === 'FileSystemWrite';
  const option = `--allow-fs-${writes ? 'write' : 'read'}=${resource}`;
  const sentence = `Node's permission model does not allow this; start Node with ${option}`;
  return new OperationError(writes ? 'read-only' : 'open-failed', path, sentence, { message, code });
}

function systemFailure(thrown: NodeJS.ErrnoException, path: string): OperationError {
  const { code, message } = systemError(thrown);
  const [kind, sentence] = (code === 'ENOENT' && path.includes('\ufffd') ? NO_UTF8 : systemCodes[code]) ?? [
    'io-error',
    `the operating system reported ${code} (${thrown.syscall})`,
  ];
  return new OperationError(kind, path, sentence, { message, code });
}
