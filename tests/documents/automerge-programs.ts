/** Programs with a repo, in processes of their own, to be killed. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Ended, runProgram } from '../support/programs.ts';

const automergeUrl = pathToFileURL(createRequire(import.meta.url).resolve('@automerge/automerge-repo')).href;
const storageUrl = pathToFileURL(join(import.meta.dirname, '../../dist/automerge-repo.js')).href;

/** Runs the text of an ES module, with `Repo`, `AutomergeRepoStorage` and `place`, the database, in scope. */
export function runRepoProgram(
  text: string,
  place: string,
  options?: Parameters<typeof runProgram>[2],
): Promise<Ended> {
  const imports = `import { Repo } from ${JSON.stringify(automergeUrl)};
import { AutomergeRepoStorage } from ${JSON.stringify(storageUrl)};
const place = file;`;
  return runProgram(`${imports}\n${text}`, place, options);
}

/** The last number that a program has printed, in a line of its own. */
export function lastNumberOf({ stdout }: Ended): number {
  return Number(stdout.slice(0, stdout.lastIndexOf('\n')).split('\n').at(-1));
}
