/**
 * Processes that work on PostgreSQL and are ended by SIGKILL. What they leave is a beginning of their calls, without a
 * hole, with all that was acknowledged; another process takes the store over once the lease has ended, and goes on.
 */
import type { Engine } from '../tests/support/engine.ts';
import { linesOf } from '../tests/support/rows.ts';
import { Program } from './child-process.ts';
import { onPostgresql } from './engines.ts';
import type { Call } from './model.ts';
import { Random } from './random.ts';
import { type RigContext, scaled, within } from './rig.ts';
import { carriedOut, rowsOfStore, sessionOf } from './session.ts';

/** Lives of one store, the last of which comes to its end. */
const LIVES = 5;
/** Stores that are worked on at the same time. */
const AT_ONCE = 4;
const CALLS = 20_000;
const options = JSON.stringify({ LeaseMs: 1000, BusyTimeoutMs: 20_000 });

export async function runOn(engine: Engine, { seed, scale, report }: RigContext): Promise<void> {
  const kills = scaled(200, scale, 2);
  for (let done = 0; done < kills; ) {
    const place = await engine.freshPlace();
    const lives = Math.min(LIVES, Math.ceil((kills - done) / AT_ONCE));
    const chains = Math.min(AT_ONCE, Math.ceil((kills - done) / lives));
    await Promise.all(Array.from({ length: chains }, (_, chain) => live(place, seed * 1000 + done + chain, lives)));
    done += chains * lives;
    await engine.discard(place);
  }

  async function live(place: string, sessionSeed: number, lives: number): Promise<void> {
    const random = new Random(sessionSeed);
    const store = `store-${sessionSeed}`;
    const calls = sessionOf(sessionSeed, store, CALLS);
    let from = 0;
    let acknowledged = 0;
    for (let life = 0; life <= lives; life++) {
      const where = `session ${sessionSeed}, life ${life}`;
      const last = life === lives;
      const program = new Program('working', [place, store, String(sessionSeed), options]);
      await within(
        40_000,
        `being ready in ${where}`,
        program.line((line) => line === 'ready'),
      );
      // now the store is this process's: nothing of the life before it can come any more
      const begin = await judge(place, store, calls, acknowledged, `session ${sessionSeed}, after life ${life - 1}`);
      if (begin === undefined) return program.end();
      report.count('acknowledged calls found again', acknowledged - from);
      report.count('calls carried out and not acknowledged', begin - acknowledged);
      from = begin;
      const until = last ? Math.min(from + 200, CALLS) : CALLS;
      program.tell(`${from} ${until}`);
      if (last) {
        const { code } = await within(60_000, `the end of ${where}`, program.ended);
        if (code !== 0) report.violation(`${where}: ended with ${code}: ${program.errors}`);
      } else {
        // sometimes before the first answer
        if (random.chance(0.8)) await within(30_000, `an answer in ${where}`, program.line(isCount));
        await new Promise((resolve) => setTimeout(resolve, random.next() ** 2 * 200));
        await program.end();
        report.count('processes killed');
      }
      for (const line of program.lines) if (line.startsWith('call')) report.violation(`${where}: ${line}`);
      acknowledged = Number(program.lines.findLast(isCount) ?? from);
      if (last && acknowledged !== until)
        report.violation(`${where}: ${acknowledged} of ${until} calls were acknowledged`);
      if (last) await judge(place, store, calls.slice(0, until), until, `session ${sessionSeed}, at its end`);
    }
  }

  async function judge(place: string, store: string, calls: readonly Call[], acknowledged: number, where: string) {
    const rows = rowsOfStore(linesOf(await engine.rowsOf(place)), store);
    const found = carriedOut(rows, store, calls, acknowledged);
    if (found === undefined)
      report.violation(
        `${where}: other rows than a beginning of the calls, ${acknowledged} of them acknowledged, leaves`,
      );
    return found;
  }
}

const isCount = (line: string): boolean => /^\d+$/.test(line);

export const run = onPostgresql(runOn);
