/**
 * Runs with torture/faulty-calls.c preloaded: an operation on files, again and again, whose n-th system call fails, for every n or some until
 * it has no more such calls. Or, with `killed`, once: the process is killed before its n-th call.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ANY_CALL, FaultControl, LOCKS } from '../fault-control.ts';
import { OperationFolder, operationNamed } from '../file-operations.ts';
import { codeOf } from '../rig.ts';

/** A kind of calls, by the bits that the C side knows, and the error that they meet. */
export interface Task {
  what: string;
  bits: number;
  error: string;
}

const [folder = '', controlPath = '', name = '', files = '', how = '[]', first = '1', step = '1'] =
  process.argv.slice(2);
const operation = operationNamed(name);
const control = new FaultControl(controlPath);
const codes: Record<string, number> = {};
const faults: Record<string, number> = {};
const violations: string[] = [];

if (how === 'killed') {
  const subject = new OperationFolder(operation, files, folder).fill();
  control.armDeath(ANY_CALL, Number(first));
  await subject.run();
  control.disarm();
} else {
  for (const task of JSON.parse(how) as Task[]) {
    // every other time, all from the n-th on; not those for locks: SQLite takes that for the lock of another program, and waits
    let stays = false;
    for (let n = Number(first); violations.length < 20; n += Number(step)) {
      stays = !stays && task.bits !== LOCKS;
      if (!(await once(task, n, stays))) break;
    }
  }
  console.log(JSON.stringify({ faults, codes, violations }));
}

/** Returns whether there was such a call. */
async function once({ what, bits, error }: Task, n: number, stays: boolean): Promise<boolean> {
  const here = join(folder, 'faulty-folder');
  rmSync(here, { recursive: true, force: true });
  mkdirSync(here);
  const where = `${name}: ${error} at call ${n}${stays ? ' and all that follow' : ''} (${what})`;
  const subject = new OperationFolder(operation, files, here).fill();
  control.arm(bits, error, n, stays);
  const failure = await subject.run().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const happened = control.disarm() > 0;
  if (happened) faults[what] = (faults[what] ?? 0) + 1;
  if (failure !== undefined) {
    const code = codeOf(failure);
    codes[code] = (codes[code] ?? 0) + 1;
    if (!happened || !/^[a-z-]+$/.test(code)) violations.push(`${where}: ${String(failure)}`);
    else if (!String(failure).includes(here)) violations.push(`${where}: names no file: ${String(failure)}`);
  }
  // the last thing that can fail is that the new name is written to the disk
  const mayBeThere = String(failure).includes('the new file is there and whole') || (stays && operation.commits);
  const found = await subject.faults(failure === undefined ? 'done' : mayBeThere ? 'done or not' : 'failed');
  for (const fault of found)
    violations.push(`${where}: ${fault}${failure === undefined ? '' : ` (${String(failure)})`}`);
  return happened;
}
