/** Refuses a file with several names (hard links): its log lies beside one of them, and under the others it looks as if there was none. */
import { readdirSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { identityOf, isSame } from '../../ordinary-file.ts';
import { OperationError } from '../failure.ts';
import { isInTheMaking } from './hold.ts';

/** @param stats - of the path; some file systems count 0 names, or always 1 */
export function refuseOtherNames(path: string, { nlink }: Stats): void {
  if (nlink <= 1) return;
  const inTheMaking = namesInTheMaking(path);
  const names = statSync(path).nlink - inTheMaking; // which may be fewer by now, but not more
  if (names <= 1) return;
  const detail =
    `the file has ${names} names (hard links), and its log lies beside one of them only: remove the others first; ` +
    'or, if no program uses the file, make a copy and name that';
  throw new OperationError('invalid-argument', path, detail);
}

/** A new file has its own name and the one that it was made under, for a moment; or for longer, if its process was killed in that moment. */
function namesInTheMaking(path: string): number {
  const folder = dirname(path);
  const own = identityOf(path);
  const others = readdirSync(folder).filter(isInTheMaking);
  return others.filter((name) => isSame(own, identityOf(join(folder, name)))).length;
}
