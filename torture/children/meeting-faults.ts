/**
 * Runs with torture/faulty-calls.c preloaded: lets the n-th call fail in one phase of a file's life,
 * for each n until the phase has no more such calls, and checks what is left each time.
 */
import { openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { integrityOf, reading } from '../database-rows.ts';
import { codeOf, within } from '../rig.ts';

const [folder = '', controlPath = '', kind = '1', phase = 'open', most = '300', durability = 'full'] =
  process.argv.slice(2);
const control = openSync(controlPath, 'r+');
const cells = new Int32Array(5);

/** Every other time, all calls from the n-th on fail until the trouble ends. */
function arm(n: number): void {
  writeSync(control, Int32Array.of(Number(kind), n, 0, 0, n % 2), 0, 20, 0);
}
function hasHappened(): boolean {
  readSync(control, cells, 0, 20, 0);
  return (cells[3] ?? 0) > 0;
}

/** Ends the trouble; returns whether the fault happened. */
function disarm(): boolean {
  const happened = hasHappened();
  writeSync(control, Int32Array.of(0, 0, 0, 0, 0), 0, 20, 0);
  return happened;
}

/** Gives the worker time to tidy up, until a fault has happened or there is nothing more to do. */
async function idle(most: number, done: () => boolean): Promise<void> {
  const until = performance.now() + most;
  while (performance.now() < until && !hasHappened() && !done()) await pause(20);
}

const codes: Record<string, number> = {};
const violations: string[] = [];
let faults = 0;
for (let n = 1; n <= Number(most); n++) {
  if (!(await once(n))) break;
  faults++;
}
console.log(JSON.stringify({ faults: { [phase]: faults }, codes, violations }));

async function once(n: number): Promise<boolean> {
  const dbPath = join(folder, `faulty-${phase}-${kind}-${n}.db`);
  const acknowledged = new Map<number, number>();
  let clock = 0;
  let provider: SDS_DesktopPersistenceProvider | undefined;
  const note = (outcome: PromiseSettledResult<unknown>) => {
    if (outcome.status === 'fulfilled') return;
    const code = codeOf(outcome.reason);
    codes[code] = (codes[code] ?? 0) + 1;
  };
  const append = async (batches: number, patches: number, length: number) => {
    for (let batch = 0; batch < batches; batch++) {
      const numbers = Array.from({ length: patches }, () => ++clock);
      const calls = numbers.map((number) => provider?.appendPatch(new Uint8Array(length).fill(number), number));
      const outcomes = await within(60_000, `a batch in phase ${phase}`, Promise.allSettled(calls));
      for (const [i, outcome] of outcomes.entries()) {
        note(outcome);
        if (outcome.status === 'fulfilled') acknowledged.set(numbers[i] ?? 0, length);
      }
    }
  };
  const open = () => {
    provider = new SDS_DesktopPersistenceProvider(dbPath, 'store', {
      Durability: durability === 'full' ? 'full' : 'normal',
    });
    return provider;
  };
  let happened: boolean;
  try {
    if (phase !== 'open') {
      await open().ready();
      await append(1, 5, 100);
    }
    if (phase === 'checkpoint' || phase === 'cut') await append(3, 10, 80_000);
    if (phase === 'cut') await pause(300); // by then it is in the database, and the file is to be cut
    arm(n);
    if (phase === 'open') note((await Promise.allSettled([within(60_000, 'ready', open().ready())]))[0]);
    if (phase === 'commit' || phase === 'open') await append(4, 5, 3000);
    if (phase === 'checkpoint') await idle(200, () => false);
    if (phase === 'cut') await idle(5000, () => statSync(`${dbPath}-wal`, { throwIfNoEntry: false })?.size === 0);
    if (phase === 'checkpoint' || phase === 'cut') await append(1, 5, 3000);
    if (phase === 'close') await within(60_000, 'close', provider?.close() ?? Promise.resolve());
    happened = disarm();
    const failed = { ...codes };
    if (phase === 'close') open();
    await append(1, 5, 100);
    if (JSON.stringify(failed) !== JSON.stringify(codes))
      violations.push(`${phase}, call ${n}: does not go on after the fault`);
    const loaded = await within(60_000, 'a load', provider?.loadPatchesSince(0) ?? Promise.resolve([]));
    if (loaded.length < acknowledged.size)
      violations.push(`${phase}, call ${n}: ${loaded.length} of ${acknowledged.size} loaded`);
    await within(60_000, 'close', provider?.close() ?? Promise.resolve());
    const sound = integrityOf(dbPath);
    if (sound !== 'ok') violations.push(`${phase}, call ${n}: integrity_check: ${sound}`);
    reading(dbPath, (database) => {
      const rows = new Map(
        database
          .prepare('SELECT clock, data FROM patches')
          .all()
          .map((row) => [row.clock as number, row.data as Uint8Array]),
      );
      for (const [number, length] of acknowledged) {
        const data = rows.get(number);
        const right = data !== undefined && data.length === length && data.every((byte) => byte === (number & 255));
        if (!right) violations.push(`${phase}, call ${n}: acknowledged patch ${number} is not there`);
      }
    });
  } catch (error) {
    happened = disarm();
    violations.push(`${phase}, call ${n}: ${String(error)}`);
    await provider?.close();
  }
  for (const end of ['', '-wal', '-shm']) rmSync(dbPath + end, { force: true });
  return happened;
}
