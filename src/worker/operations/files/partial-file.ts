/** A file that is being made: it has a name of its own until it is whole and on the disk, and is then renamed. */
import { chmodSync, chownSync, fsyncSync, linkSync, renameSync, type Stats, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ReportedCause, reportedOf } from '../../../protocol/errors.ts';
import { ifPossible } from '../../../protocol/if-possible.ts';
import { withOpen } from '../../../protocol/with-open.ts';
import { identityOf, removeFile } from '../../sqlite/ordinary-file.ts';
import { OperationError, toFailure } from '../failure.ts';
import { type Hold, takeHold } from './hold.ts';
import { holdsBytes, holdsPages } from './open-to-read.ts';

/** Of a file system without rights, or links. */
const NOT_KNOWN_HERE = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'];

const NAME_NOT_SYNCED =
  'the new file is there and whole, but its name may not be on the disk, and a power cut could undo that; check the disk';

/** Of a file, for its group and all others. */
export type Rights = Pick<Stats, 'mode' | 'gid'>;

export class PartialFile {
  /** Where it shall be in the end. */
  readonly target: string;
  readonly path: string;
  readonly #hold: Hold;
  readonly #rights: Rights | undefined;
  readonly #bytes: number;

  /** @param rights - of what it is made from: it gets them in the end, and until then nobody else may read it */
  constructor(target: string, bytes: number, rights: Rights | undefined) {
    this.target = target;
    this.#bytes = bytes;
    this.#rights = rights;
    let hold: Hold | undefined;
    try {
      // which removes what killed processes have left, and so gives room
      hold = takeHold(dirname(target));
      const { bavail, bsize } = statfsSync(dirname(target));
      if (bavail * bsize < bytes) throw this.#noRoom(`, ${(bavail * bsize).toLocaleString('en')} bytes are free`);
      withOpen(hold.path, 'wx', () => {}, rights === undefined ? 0o666 : 0o600);
    } catch (error) {
      hold?.release();
      throw toFailure(error, target);
    }
    this.#hold = hold;
    this.path = hold.path;
  }

  /** What was thrown while it was made: a disk that is full after all is told with what is needed. */
  failureOf(thrown: unknown): Error {
    if (thrown instanceof OperationError) return thrown;
    const failure = toFailure(thrown, this.target);
    if (!(failure instanceof OperationError) || failure.code !== 'database-full') return failure;
    return this.#noRoom('', failure.reported);
  }

  #noRoom(free: string, reported?: ReportedCause): OperationError {
    const needed = this.#bytes.toLocaleString('en');
    const detail = `the disk is full: at least ${needed} bytes are needed in this folder${free}; make room and try again`;
    return new OperationError('database-full', this.target, detail, reported);
  }

  /** Brings it to the disk, and then under its final name; with `replace` in the place of what is there. */
  publish(replace: boolean): void {
    // one that it takes the place of has given it its rights
    if (!replace && this.#rights !== undefined) setRights(this.path, this.#rights);
    // SQLite has synced it as well, but knows nothing of its rights; and on macOS, Node's own call alone empties the drive's cache
    withOpen(this.path, 'r+', (file) => sync(file, []));
    const put = () => {
      if (replace) renameSync(this.path, this.target);
      else {
        refuseForeignLog(this.target);
        renameToNewName(this.path, this.target);
      }
    };
    // Windows has no such call for a folder, and no need of it. Where it is forbidden, or a network file system does not know it, the
    // name is on the disk some seconds later, and until then the old file would be
    if (process.platform === 'win32') {
      put();
      return;
    }
    withOpen(dirname(this.target), 'r', (folder) => {
      put();
      try {
        sync(folder, ['EINVAL', 'ENOTSUP', 'EBADF']);
      } catch (error) {
        throw new OperationError('io-error', this.target, NAME_NOT_SYNCED, reportedOf(error));
      }
    });
  }

  /** Removes it, unless it has got its final name. */
  remove(): void {
    this.#hold.release();
  }
}

function setRights(path: string, rights: Rights): void {
  const wanted = (rights.mode & 0o777) | 0o600;
  // what the source's group may do is not for another group
  const mode = hasGroup(path, rights.gid) ? wanted : wanted & ~0o070;
  if ((statSync(path).mode & 0o777) === mode) return;
  try {
    chmodSync(path, mode);
  } catch (error) {
    if (!isOneOf(error, NOT_KNOWN_HERE)) throw error;
  }
}

function hasGroup(path: string, gid: number): boolean {
  if (statSync(path).gid === gid) return true;
  ifPossible(() => chownSync(path, -1, gid)); // by members of that group, on file systems that have groups
  return statSync(path).gid === gid;
}

/** Fails if there is a file of that name, even one that came just now. */
function renameToNewName(path: string, target: string): void {
  try {
    linkSync(path, target);
  } catch (error) {
    if (identityOf(target) !== undefined) {
      const detail = 'a file of this name came meanwhile, and was left as it is; try again';
      throw new OperationError('file-exists', target, detail);
    }
    if (!isOneOf(error, [...NOT_KNOWN_HERE, 'EMLINK'])) throw error;
    renameSync(path, target);
    return;
  }
  // what fails from here on changes nothing of it: the other name goes with what holds it
  ifPossible(() => {
    removeFile(path);
    // FUSE says for a second or so that it has two names, until something of it is changed
    chmodSync(target, statSync(target).mode);
  });
}

/** Another database's log beside the new file would be taken for its own. */
export function refuseForeignLog(target: string): void {
  for (const [end, isFilled] of [
    ['-wal', holdsBytes],
    ['-journal', holdsPages],
  ] as const) {
    if (!isFilled(target + end)) continue;
    const detail = `'${target}${end}' is there without its database, and would be taken for the new file's; move it away first`;
    throw new OperationError('file-exists', target, detail);
  }
}

/** Node's permission model forbids it, whatever is allowed: since Node 26 in each of its forms. */
function sync(file: number, unknown: readonly string[]): void {
  try {
    fsyncSync(file);
  } catch (error) {
    if (!isOneOf(error, ['ERR_ACCESS_DENIED', ...unknown])) throw error;
  }
}

function isOneOf(error: unknown, codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}
