/**
 * Two, four and eight processes on one database, each with a store of its own or all with one, one of them killed:
 * nothing acknowledged is lost or done twice, and the counts of values that all of them share are right.
 */
import type { Engine } from '../tests/support/engine.ts';
import type { Rows } from '../tests/support/rows.ts';
import { Program } from './child-process.ts';
import { onPostgresql } from './engines.ts';
import { Random } from './random.ts';
import { type RigContext, scaled, within } from './rig.ts';

const PATCHES = 50;

export async function runOn(engine: Engine, { seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  for (const processes of [2, 4, 8]) {
    for (const ownership of ['exclusive', 'shared']) {
      if (scale < 0.02 && (processes === 8 || (processes === 2) !== (ownership === 'exclusive'))) continue;
      for (let round = 0; round < scaled(4, scale); round++) {
        await share(
          processes,
          ownership,
          scaled(6000, scale, 1000),
          `seed ${seed}, ${processes} processes, ${ownership}`,
        );
      }
    }
  }

  async function share(processes: number, ownership: string, milliseconds: number, where: string): Promise<void> {
    const place = await engine.freshPlace();
    const options = JSON.stringify({
      Ownership: ownership,
      OnClockCollision: 'keep',
      LeaseMs: 2000,
      BusyTimeoutMs: 30_000,
    });
    const victim = random.below(processes);
    const programs = Array.from({ length: processes }, (_, index) => {
      const store = ownership === 'shared' ? 'shared' : `store-${index}`;
      return new Program('sharing-a-database', [place, store, `p${index}`, String(milliseconds), options]);
    });
    const ends = programs.map(async (program, index) => {
      if (index === victim) {
        await within(
          60_000,
          `a first round, ${where}`,
          program.line((line) => line.startsWith('stored')),
        );
        await new Promise((resolve) => setTimeout(resolve, random.next() * milliseconds * 0.5));
        return program.end();
      }
      const { code } = await within(milliseconds + 90_000, `the end, ${where}`, program.ended);
      if (code !== 0) report.violation(`${where}: process ${index} ended with ${code}: ${program.errors}`);
    });
    await Promise.all(ends);
    judge(await engine.rowsOf(place), programs, victim, where);
    report.count(`runs of ${processes} processes, ${ownership}, one of them killed`);
    await engine.discard(place);
  }

  function judge({ patches, blobs }: Rows, programs: readonly Program[], victim: number, where: string): void {
    const found = new Map<string, number>();
    for (const { data } of patches) {
      const text = Buffer.from(String(data), 'hex').toString();
      found.set(text, (found.get(text) ?? 0) + 1);
    }
    let kept = { least: 0, most: 0 };
    let open = 0;
    for (const [index, { lines }] of programs.entries()) {
      const stored = lines.filter((line) => line.startsWith('stored')).length;
      const begun = lines.filter((line) => line.startsWith('begun')).length;
      let missing = 0;
      for (let round = 0; round < stored; round++) {
        for (let i = 0; i < PATCHES; i++) if (!found.has(`p${index} ${round} ${i}`)) missing++;
      }
      if (missing > 0) report.violation(`${where}: ${missing} acknowledged patches of process ${index} are not there`);
      report.count('acknowledged patches found again', stored * PATCHES);
      if (index === victim) open += begun - stored;
      else if (begun !== stored)
        report.violation(`${where}: process ${index} began ${begun} rounds and stored ${stored}`);
      kept = { least: kept.least + stored, most: kept.most + begun };
    }
    const twice = [...found].filter(([, times]) => times > 1);
    if (twice.length > 0) report.violation(`${where}: ${twice.length} patches are there twice, as '${twice[0]?.[0]}'`);
    const count = (hash: string) => Number(blobs.find((row) => row.hash === hash)?.ref_count ?? 0);
    if (count('kept') < kept.least || count('kept') > kept.most) {
      report.violation(`${where}: a count of ${count('kept')}, not ${kept.least} to ${kept.most}`);
    }
    // a release that meets 0 does nothing, so that the last round of the one that was killed may leave one
    if (count('shared') > open) report.violation(`${where}: a count of ${count('shared')} instead of at most ${open}`);
  }
}

export const run = onPostgresql(runOn);
