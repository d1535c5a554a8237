/**
 * Backup, restore, copy and compact, each system call of which fails in turn, or is the last one before the process is killed: the source is
 * the same, the target is as it was or as it is to be, what failed is done if it is called again, and nothing is left behind.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from './child-process.ts';
import type { Task } from './children/operating.ts';
import { ANY_CALL, LOCKS } from './fault-control.ts';
import { buildFaultyLibrary, newControl, runWithFaults, tellOf, withFaults } from './faulty-library.ts';
import { fileOperations, makeFiles, OperationFolder, operationNamed } from './file-operations.ts';
import { type RigContext, withFolder } from './rig.ts';

/** A small slice tries some calls of each operation, not the first ones alone. */
const LONGEST_STEP = 200;

const tasks: Task[] = [
  { what: 'any call', bits: ANY_CALL, error: 'EIO' },
  { what: 'any call', bits: ANY_CALL, error: 'EACCES' },
  { what: 'any call', bits: ANY_CALL, error: 'ENOSPC' },
  { what: 'locks', bits: LOCKS, error: 'ENOLCK' },
];

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  await withFolder(async (folder) => {
    const library = buildFaultyLibrary(folder, report);
    if (library === undefined) return;
    const files = join(folder, 'files');
    mkdirSync(files);
    makeFiles(files);
    const step = Math.min(Math.round(1 / scale), LONGEST_STEP);
    const first = 1 + (seed % step);
    for (const name of Object.keys(fileOperations)) {
      const args = [name, files, JSON.stringify(tasks), String(first), String(step)];
      const reply = await runWithFaults(library, 'operating', folder, args);
      for (const [what, times] of Object.entries(reply.faults)) report.count(`${name}: faults (${what})`, times);
      tellOf(reply, report);
      if (!reply.faults['any call']) report.violation(`${name}: no fault was injected, so nothing was tried`);
      for (let n = first; await isKilled(folder, library, files, name, n); n += step)
        report.count(`${name}: processes killed`);
    }
  });

  /** Before its n-th system call; false if it has fewer. */
  async function isKilled(folder: string, library: string, files: string, name: string, n: number): Promise<boolean> {
    const here = join(folder, 'faulty-killed');
    rmSync(here, { recursive: true, force: true });
    mkdirSync(here);
    const control = newControl(folder);
    const program = new Program(
      'operating',
      [here, control, name, files, 'killed', String(n)],
      [],
      withFaults(library, control),
    );
    const { code, signal } = await program.ended;
    const where = `${name}, killed before its system call ${n}`;
    if (signal !== 'SIGKILL' && code !== 0) report.violation(`${where}: ended with ${code}: ${program.errors}`);
    if (signal !== 'SIGKILL') return false;
    const subject = new OperationFolder(operationNamed(name), files, here);
    for (const fault of await subject.faults('done or not')) report.violation(`${where}: ${fault}`);
    return true;
  }
}
