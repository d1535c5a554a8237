/** Programs some of whose system calls fail, by the library of torture/faulty-calls.c. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildFaultyLibrary } from '../../torture/faulty-library.ts';
import { freshFolder } from './files.ts';
import { runProgram } from './programs.ts';

const control = pathToFileURL(join(import.meta.dirname, '../../torture/fault-control.ts')).href;

/**
 * Runs the text of a module with the package as `all`, and `faults` to arm: calls on paths that contain `match` fail. `told` collects what
 * it has to say, which is returned; `undefined`, and the test is skipped, where no library can be made.
 */
export async function toldUnderFaults(
  text: string,
  match: string,
  skip: (why: string) => void,
): Promise<unknown[] | undefined> {
  const folder = freshFolder();
  const nothing = () => {};
  const report = { count: nothing, most: nothing, violation: nothing, skip };
  const library = buildFaultyLibrary(folder, report);
  if (library === undefined) return undefined;
  const cells = join(folder, 'control');
  writeFileSync(cells, new Uint8Array(64));
  const env = { LD_PRELOAD: library, SDS_FAULT_CONTROL: cells, SDS_FAULT_MATCH: match };
  const program = `
    import * as all from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href)};
    import { ACCESSES, FaultControl, LOCKS, OPENS, STATS, SYNCS, UNLINKS } from ${JSON.stringify(control)};
    const faults = new FaultControl(${JSON.stringify(cells)});
    const told = [];
    const outcome = (promise) => promise.then(() => 'done', ({ code, message }) => code + ': ' + message);
    ${text}
    console.log(JSON.stringify(told));`;
  const { stdout, stderr, code } = await runProgram(program, join(folder, 'unused.db'), { env });
  if (code !== 0) throw new Error(`ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as unknown[];
}
