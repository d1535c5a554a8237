/**
 * System calls on the database's files that fail at the n-th time, for each n, while the file is
 * opened, a batch is committed, the log is brought into the database, its file is cut, and the database
 * is closed. The right codes, all that was acknowledged is there, and work goes on once the fault is over.
 */
import { buildFaultyLibrary, runWithFaults, tellOf } from './faulty-library.ts';
import { type RigContext, scaled, withFolder } from './rig.ts';

const MOST_CALLS = 300;
const MOST_CUTS = 24;

/** The kinds of fault, by the numbers that the C side knows, and the codes that are right for each. */
const kinds = {
  EIO: { number: 1, codes: ['io-error', 'open-failed'] },
  ENOSPC: { number: 2, codes: ['database-full', 'io-error', 'open-failed'] },
  'short writes': { number: 3, codes: [] },
  'failing fsync': { number: 4, codes: ['io-error', 'open-failed'] },
} as const;

export async function run({ scale, report }: RigContext): Promise<void> {
  await withFolder(async (folder) => {
    const library = buildFaultyLibrary(folder, report);
    if (library === undefined) return;
    for (const [name, { number, codes }] of Object.entries(kinds)) {
      for (const phase of ['open', 'commit', 'checkpoint', 'cut', 'close']) {
        // the file is cut after some seconds of quiet, by a handful of calls: not in a small slice
        const most = phase === 'cut' ? Math.round(MOST_CUTS * scale) : scaled(MOST_CALLS, scale, 2);
        if (most === 0) continue;
        const reply = await runWithFaults(library, 'meeting-faults', folder, [String(number), phase, String(most)]);
        const faults = reply.faults[phase] ?? 0;
        report.count(`faults (${name}) in phase ${phase}`, faults);
        tellOf(reply, report, `${name}: `);
        for (const code of Object.keys(reply.codes)) {
          if (!(codes as readonly string[]).includes(code))
            report.violation(`${name} in phase ${phase}: rejected with ${code}`);
        }
        const hopeless = (phase === 'commit' || phase === 'open') && faults === 0;
        if (hopeless) report.violation(`${name} in phase ${phase}: no fault was injected, so nothing was tried`);
      }
    }
  });
}
