/** Where packages of the application are looked for. */
import { dirname } from 'node:path';
// where this package lies, put here by the build
import packageLocation from 'virtual:package-location';
import { ifPossible } from '../protocol/if-possible.ts';

/** From where `pg`, or Yjs, is looked for: this package, the program, the working directory. */
export function searchPaths(): string[] {
  const [, program] = process.argv;
  const workingFolder = ifPossible(() => process.cwd()); // it may have been removed
  const paths = [packageLocation(), program === undefined ? undefined : dirname(program), workingFolder];
  return paths.filter((location) => typeof location === 'string' && location !== '') as string[];
}
