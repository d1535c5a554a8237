/**
 * Numbers that meet: after a prune and a restart the sync engine uses a number a second time, and
 * then crashes. With 'keep' the document comes back whole; with 'ignore' the loss is counted and said.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import * as Y from 'yjs';
import type { Engine } from '../tests/support/engine.ts';
import { onFiles } from './engines.ts';
import { type RigContext, within } from './rig.ts';

const child = join(import.meta.dirname, 'children', 'meeting-numbers.ts');
const ENTRIES = 1200;

export async function runOn(engine: Engine, { report }: RigContext): Promise<void> {
  for (const collision of ['ignore', 'keep']) {
    const place = await engine.freshPlace();
    await live(place, collision, 'first');
    const said = await live(place, collision, 'second');
    const provider = new SDS_DesktopPersistenceProvider(place, 'document', { LeaseMs: 1000 }); // the crashed one's lease has to end first
    const document = new Y.Doc();
    Y.applyUpdate(document, (await provider.loadSnapshot()) ?? new Uint8Array());
    for (const patch of await provider.loadPatchesSince(0)) Y.applyUpdate(document, patch);
    await provider.close();
    const { length } = document.getArray('entries');
    report.count(`entries that came back with '${collision}'`, length);
    const warnings = said.filter((line) => line === 'warning SDS_CLOCK_COLLISION').length;
    const collisions = Number(said.find((line) => line.startsWith('collisions '))?.slice(11));
    if (collision === 'keep') {
      if (length !== ENTRIES) report.violation(`'keep': ${length} of ${ENTRIES} entries came back`);
      if (warnings > 0 || collisions > 0) report.violation(`'keep': ${warnings} warnings, ${collisions} collisions`);
    } else {
      // that is what the contract means; if it were otherwise, this rig would show nothing
      if (length >= ENTRIES) report.violation("'ignore': nothing was lost, so no numbers met");
      if (warnings !== 1) report.violation(`'ignore': ${warnings} warnings instead of 1`);
      if (collisions !== 1) report.violation(`'ignore': ${collisions} collisions counted instead of 1`);
    }
  }

  function live(...args: string[]): Promise<string[]> {
    const lines = new Promise<string[]>((resolve) => {
      execFile(process.execPath, [child, ...args], (error, stdout) => {
        const crashed = error?.signal === 'SIGKILL';
        if (error !== null && !crashed) report.violation(`the ${args[2]} life: ${error.message}`);
        resolve(stdout.trim().split('\n'));
      });
    });
    return within(60_000, 'a life of the program', lines);
  }
}

export const run = onFiles(runOn);
