/**
 * System calls on the database's files that fail at the n-th time, for each n, while the file is
 * opened, a batch is committed, the log is brought into the database, its file is cut, and the database
 * is closed. The right codes, all that was acknowledged is there, and work goes on once the fault is over.
 */
import { execFile, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type RigContext, scaled, withFolder } from './rig.ts';

const child = join(import.meta.dirname, 'children', 'meeting-faults.ts');
const source = join(import.meta.dirname, 'faulty-calls.c');
const MOST_CALLS = 300;
const MOST_CUTS = 24;

/** The kinds of fault, by the numbers that the C side knows, and the codes that are right for each. */
const kinds = {
  EIO: { number: 1, codes: ['io-error', 'open-failed'] },
  ENOSPC: { number: 2, codes: ['database-full', 'io-error', 'open-failed'] },
  'short writes': { number: 3, codes: [] },
  'failing fsync': { number: 4, codes: ['io-error', 'open-failed'] },
} as const;

interface Reply {
  faults: number;
  codes: Record<string, number>;
  violations: string[];
}

export async function run({ scale, report }: RigContext): Promise<void> {
  if (process.platform !== 'linux')
    return report.skip('faults are injected by LD_PRELOAD, which is tried on Linux only');
  await withFolder(async (folder) => {
    const library = join(folder, 'faulty-calls.so');
    try {
      execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], { stdio: 'pipe' });
    } catch (error) {
      return report.skip(`no C compiler makes the library that injects faults: ${String(error).split('\n')[0]}`);
    }
    for (const [name, { number, codes }] of Object.entries(kinds)) {
      for (const phase of ['open', 'commit', 'checkpoint', 'cut', 'close']) {
        const control = join(folder, `control-${number}-${phase}`);
        writeFileSync(control, new Uint8Array(20));
        // the file is cut after some seconds of quiet, by a handful of calls: not in a small slice
        const most = phase === 'cut' ? Math.round(MOST_CUTS * scale) : scaled(MOST_CALLS, scale, 3);
        if (most === 0) continue;
        const {
          faults,
          codes: found,
          violations,
        } = await inject(library, [folder, control, String(number), phase, String(most)]);
        report.count(`faults (${name}) in phase ${phase}`, faults);
        for (const [code, times] of Object.entries(found)) {
          report.count(`rejected with ${code}`, times);
          if (!(codes as readonly string[]).includes(code))
            report.violation(`${name} in phase ${phase}: rejected with ${code}`);
        }
        for (const violation of violations) report.violation(`${name}: ${violation}`);
        const hopeless = (phase === 'commit' || phase === 'open') && faults === 0;
        if (hopeless) report.violation(`${name} in phase ${phase}: no fault was injected, so nothing was tried`);
      }
    }
  });

  async function inject(library: string, args: string[]): Promise<Reply> {
    const [, control = ''] = args;
    const env = { ...process.env, LD_PRELOAD: library, SDS_FAULT_CONTROL: control, SDS_FAULT_MATCH: 'faulty-' };
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [child, ...args], {
        env,
        timeout: 180_000,
        killSignal: 'SIGKILL',
      });
      return JSON.parse(stdout) as Reply;
    } catch (error) {
      const { code, signal, stderr } = error as { code?: unknown; signal?: unknown; stderr?: string };
      return {
        faults: 0,
        codes: {},
        violations: [`phase ${args[3]}: the process ended with ${String(signal ?? code)} ${stderr?.slice(0, 300)}`],
      };
    }
  }
}
