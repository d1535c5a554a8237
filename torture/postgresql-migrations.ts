/** Many processes that find a database without tables at the same time: each of them works, and the tables are made once. */
import type { Engine } from '../tests/support/engine.ts';
import { Program } from './child-process.ts';
import { onPostgresql } from './engines.ts';
import { type RigContext, scaled, within } from './rig.ts';

export async function runOn(engine: Engine, { seed, scale, report }: RigContext): Promise<void> {
  const processes = scaled(20, scale, 5);
  for (let round = 0; round < scaled(5, scale); round++) {
    const place = await engine.freshPlace();
    const options = JSON.stringify({ BusyTimeoutMs: 60_000 });
    const programs = Array.from(
      { length: processes },
      (_, i) => new Program('working', [place, `store-${i}`, String(seed + i), options]),
    );
    // all of them have loaded the package, and open at once
    for (const program of programs) program.tell('0 20');
    for (const [i, program] of programs.entries()) {
      const { code } = await within(90_000, `process ${i}`, program.ended);
      const troubles = program.lines.filter((line) => line.startsWith('call') || line.startsWith('not'));
      if (code !== 0 || troubles.length > 0 || program.errors !== '') {
        report.violation(`process ${i} of ${processes} ended with ${code}: ${troubles.join()} ${program.errors}`);
      }
    }
    const { patches } = await engine.rowsOf(place);
    const stores = new Set(patches.map(({ store_id }) => store_id)).size;
    if (stores !== processes) report.violation(`${stores} of ${processes} stores have patches`);
    report.count('processes that found no tables', processes);
    await engine.discard(place);
  }
}

export const run = onPostgresql(runOn);
