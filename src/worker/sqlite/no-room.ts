/**
 * A disk that is full, or a quota that is used up, is told by SQLite as such at some calls, and at others as an I/O
 * error or a file that can't be opened, without the system's own words; nor does it say which of its files may not be written.
 * So the system is asked again.
 */
import { writeSync } from 'node:fs';
import { withOpen } from '../../protocol/with-open.ts';
import { EngineError } from '../engine.ts';
import { CANNOT_OPEN, INDEX_ERRORS, IO_ERROR, primaryCode } from './errors.ts';
import { removeFile } from './ordinary-file.ts';
import { refusedWriting } from './refused-access.ts';

/** SQLITE_IOERR, of which VACUUM tells no more, SQLITE_IOERR_WRITE, _FSYNC, and those of the log's index. */
const whileGrowing = [IO_ERROR, 778, 1034, ...INDEX_ERRORS];

/** More than SQLite asks for at a time: a page, or twice as much of the log's index. */
const PROBE_BYTES = 64 * 1024;

/** The failure with what the system says; `database-full`, if that was the reason: nothing can be written beside the file either. */
export function withSystemReason(failure: EngineError, path: string): EngineError {
  const { errcode = 0, message } = failure.reported;
  if (path === '') return failure;
  const isWhileGrowing = whileGrowing.includes(errcode) || primaryCode(failure.reported) === CANNOT_OPEN;
  const room = isWhileGrowing ? whyNoRoom(path) : undefined;
  const reason = failure.code === 'read-only' && errcode !== 0 ? refusedWriting(path)?.message : room;
  if (reason === undefined) return failure;
  const code = room === undefined ? failure.code : 'database-full';
  return new EngineError(code, { ...failure.reported, message: `${message}: ${reason}` });
}

/** What the system said: Node has no name for a quota that is used up, only its number. */
export function systemError(thrown: unknown): { code: string; message: string } {
  const { code = '', errno, message, syscall } = thrown as NodeJS.ErrnoException;
  // loaded when it is needed, like the other one below: they would make every worker start later
  if (code !== 'UNKNOWN' || errno !== -process.getBuiltinModule('node:os').constants.errno.EDQUOT)
    return { code, message };
  return { code: 'EDQUOT', message: `EDQUOT: disk quota exceeded, ${syscall}` };
}

function whyNoRoom(path: string): string | undefined {
  const { randomBytes } = process.getBuiltinModule('node:crypto');
  // a name that is nobody's, no longer than that of SQLite's journal
  const probe = `${path}-${randomBytes(3).toString('hex')}`;
  try {
    const fill = (file: number) => {
      removeFile(probe); // at once: if the process is killed, nothing stays
      const bytes = new Uint8Array(PROBE_BYTES);
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
    };
    withOpen(probe, 'wx', fill, 0o600);
    return undefined;
  } catch (error) {
    const { code, message } = systemError(error);
    return ['ENOSPC', 'EDQUOT'].includes(code) ? message : undefined; // whatever else: SQLite's own words stay
  }
}
