/** What is at a path: an ordinary file of one name, or nothing. Anything else is never opened: a pipe would not answer. */
import { readdirSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { identityOf, isSame, whyNoFile } from '../../sqlite/ordinary-file.ts';
import { OperationError, toFailure } from '../failure.ts';
import { isInTheMaking } from './hold.ts';

/** The file of that path. */
export const locate = (path: string): Stats => existingAt(path, true) as Stats;

/** The file of that path, if it is there; if not, its folder is, so that it can be made. */
export function existingAt(path: string, isNeeded = false): Stats | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: isNeeded });
    if (found === undefined) statSync(dirname(path));
    const what = found?.isDirectory() ? 'this is a folder; name the file in it' : whyNoFile(path, found);
    if (what !== undefined) throw new OperationError('open-failed', path, what);
    if (found !== undefined) refuseOtherNames(path, found);
    return found;
  } catch (error) {
    throw toFailure(error, path);
  }
}

/**
 * Of a file with several names (hard links) the log lies beside one of them, and under the others it looks as if there was none.
 *
 * @param stats - of the path; some file systems count 0 names, or always 1
 */
function refuseOtherNames(path: string, { nlink }: Stats): void {
  if (nlink <= 1) return;
  // a new file has its own name and the one that it was made under, for a moment; or for longer, if its process was killed in that moment
  const [folder, own] = [dirname(path), identityOf(path)];
  const others = readdirSync(folder).filter(isInTheMaking);
  const inTheMaking = others.filter((name) => isSame(own, identityOf(join(folder, name)))).length;
  const names = statSync(path).nlink - inTheMaking; // which may be fewer by now, but not more
  if (names <= 1) return;
  const detail =
    `the file has ${names} names (hard links), and its log lies beside one of them only: remove the others first; ` +
    'or, if no program uses the file, make a copy and name that';
  throw new OperationError('invalid-argument', path, detail);
}
