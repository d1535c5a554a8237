/** The library of torture/faulty-calls.c, and programs of `children/` with it preloaded. */
import { execFile, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Report } from './rig.ts';

const source = join(import.meta.dirname, 'faulty-calls.c');
/** As many cells as the C side has. */
const CONTROL_BYTES = 28;
const PATIENCE_MS = 1_500_000;
let controls = 0;

/** Makes it; `undefined`, and the report says why, where that is impossible. */
export function buildFaultyLibrary(folder: string, report: Report): string | undefined {
  if (process.platform !== 'linux') {
    report.skip('faults are injected by LD_PRELOAD, which is tried on Linux only');
    return undefined;
  }
  const library = join(folder, 'faulty-calls.so');
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], { stdio: 'pipe' });
    return library;
  } catch (error) {
    report.skip(`no C compiler makes the library that injects faults: ${String(error).split('\n')[0]}`);
    return undefined;
  }
}

/** With these variables the disk is slow under files whose path has `match` in it: each write and sync takes so long. */
export function slowDisk(library: string, match: string, microseconds: number): Record<string, string> {
  return { LD_PRELOAD: library, SDS_FAULT_MATCH: match, SDS_FAULT_SLOW_US: String(microseconds) };
}

/** A control file, by which nothing fails yet. */
export function newControl(folder: string): string {
  const control = join(folder, `control-${controls++}`);
  writeFileSync(control, new Uint8Array(CONTROL_BYTES));
  return control;
}

/** With these variables a program meets what its control file says. */
export function withFaults(library: string, control: string): Record<string, string> {
  return { LD_PRELOAD: library, SDS_FAULT_CONTROL: control, SDS_FAULT_MATCH: 'faulty-' };
}

export interface Reply {
  /** How many faults happened, by what they were. */
  faults: Record<string, number>;
  /** How often calls were rejected, by their code. */
  codes: Record<string, number>;
  violations: string[];
}

/** Counts what calls were rejected with, and tells what was not kept. */
export function tellOf({ codes, violations }: Reply, report: Report, where = ''): void {
  for (const [code, times] of Object.entries(codes)) report.count(`rejected with ${code}`, times);
  for (const violation of violations) report.violation(where + violation);
}

/** Runs a child, whose first argument is the folder and the second one the control file; files whose path has `faulty-` meet faults. */
export async function runWithFaults(
  library: string,
  name: string,
  folder: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Reply> {
  const control = newControl(folder);
  const child = join(import.meta.dirname, 'children', `${name}.ts`);
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [child, folder, control, ...args], {
      env: { ...process.env, ...env, ...withFaults(library, control) },
      timeout: PATIENCE_MS,
      killSignal: 'SIGKILL',
    });
    return JSON.parse(stdout) as Reply;
  } catch (error) {
    const { code, signal, stderr } = error as { code?: unknown; signal?: unknown; stderr?: string };
    const end = `${args.join(' ').slice(0, 40)}: the process ended with ${String(signal ?? code)} ${stderr?.slice(0, 600)}`;
    return { faults: {}, codes: {}, violations: [end] };
  }
}
