/**
 * A process that is stopped over its lease's end, and goes on when another has taken its store over: not one
 * of its writes is in the tables after that, and its calls say so. `close` gives a store back at once.
 */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import type { Engine } from '../tests/support/engine.ts';
import { Program } from './child-process.ts';
import { onPostgresql } from './engines.ts';
import { Random } from './random.ts';
import { codeOf, type RigContext, scaled, within } from './rig.ts';

const AT_ONCE = 4;
const options = { LeaseMs: 1000, BusyTimeoutMs: 30_000 };
/** Nobody takes over from this one, also if the machine is so busy that it does nothing for a while. */
const lasting = { ...options, LeaseMs: 60_000 };

export async function runOn(engine: Engine, { seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  const rounds = scaled(100, scale, 2);
  for (let round = 0; round < rounds; round += AT_ONCE) {
    const place = await engine.freshPlace();
    const several = Array.from({ length: Math.min(AT_ONCE, rounds - round) }, (_, i) => pauseOne(place, round + i));
    await Promise.all(several);
    await engine.discard(place);
  }

  async function pauseOne(place: string, round: number): Promise<void> {
    const store = `store ${seed} ${round}`;
    const where = `seed ${seed}, round ${round}`;
    const paused = new Program('owning', [place, store, `paused-${round}`, '1', JSON.stringify(options)]);
    const other = new Program('owning', [place, store, `other-${round}`, '1000001', JSON.stringify(lasting)]);
    try {
      paused.tell('again');
      await within(
        30_000,
        `a value in ${where}`,
        paused.line((line) => line === 'value'),
      );
      await new Promise((resolve) => setTimeout(resolve, random.next() ** 2 * 100));
      paused.signal('SIGSTOP');
      other.tell('again');
      await within(
        30_000,
        `the take-over in ${where}`,
        other.line((line) => line === 'ready'),
      );
      report.count('leases taken over');
      const before = await rowsOf(place, round);
      await within(
        30_000,
        `a value of the other in ${where}`,
        other.line((line) => line === 'value'),
      );
      paused.signal('SIGCONT');
      const lost = await within(
        30_000,
        `the end of ownership in ${where}`,
        paused.line((line) => line.startsWith('lost')),
      );
      if (lost !== 'lost fenced') report.violation(`${where}: the one that was paused: ${lost}`);
      const then = await within(
        30_000,
        `later calls in ${where}`,
        paused.line((line) => line.startsWith('then')),
      );
      if (then !== 'then fenced fenced fenced fenced') report.violation(`${where}: calls after it was fenced: ${then}`);
      await within(
        30_000,
        `closing in ${where}`,
        paused.line((line) => line === 'closed'),
      );
      const after = await rowsOf(place, round);
      if (after.lines.join() !== before.lines.join()) {
        report.violation(
          `${where}: rows of the one that was paused: ${before.lines.length} became ${after.lines.length}`,
        );
      }
      const stored = paused.lines.filter((line) => line.startsWith('stored')).map((line) => Number(line.slice(7)));
      const missing = stored.filter((number) => !after.clocks.has(number));
      if (missing.length > 0) report.violation(`${where}: ${missing.length} acknowledged patches are not there`);
      report.count('acknowledged patches found again', stored.length);
      await givesBack(place, store, other, where);
    } finally {
      await Promise.all([paused.end(), other.end()]);
    }
  }

  /** Another process owns it: a second gets `fenced` at once, and has it as soon as the first has closed. */
  async function givesBack(place: string, store: string, owner: Program, where: string): Promise<void> {
    const next = new SDS_DesktopPersistenceProvider(place, store, lasting);
    const refused = await within(
      10_000,
      `a refusal in ${where}`,
      next.appendPatch(Buffer.from('next'), 1).then(() => 'carried out', codeOf),
    );
    if (refused !== 'fenced') {
      const said = owner.lines.filter((line) => !line.startsWith('stored'));
      report.violation(
        `${where}: a write to a store that another owns: ${refused}; the owner said ${said.slice(-3).join(', ')}`,
      );
    }
    const ready = next.ready();
    owner.tell('close');
    await within(
      10_000,
      `closing in ${where}`,
      owner.line((line) => line === 'closed'),
    );
    await within(10_000, `the store given back in ${where}`, ready);
    await next.appendPatch(Buffer.from('next'), 2_000_000);
    await next.close();
    report.count('stores given back');
  }

  /** What the process that is paused in this round has written: its patches, and the count of its value. */
  async function rowsOf(place: string, round: number): Promise<{ lines: string[]; clocks: Set<unknown> }> {
    const { patches, blobs, snapshots } = await engine.rowsOf(place);
    const name = Buffer.from(`paused-${round} `).toString('hex');
    const mine = patches.filter(({ data }) => String(data).startsWith(name));
    const values = blobs.filter(({ hash }) => hash === `of paused-${round}`);
    const saved = snapshots.filter(({ data }) => data === Buffer.from(`paused-${round}`).toString('hex'));
    const lines = [...mine, ...values, ...saved].map((row) => JSON.stringify(row));
    return { lines, clocks: new Set(mine.map(({ clock }) => clock)) };
  }
}

export const run = onPostgresql(runOn);
