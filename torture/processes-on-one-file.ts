/**
 * Several processes append to the same store at full speed, and one of them is killed: nothing that
 * any acknowledged is lost. And a process that holds the write lock: others wait, then give up with
 * `database-busy` and nothing half done, while their event loop and their other files go on.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { integrityOf, reading } from './database-rows.ts';
import { patchOf } from './patches.ts';
import { Random } from './random.ts';
import { codeOf, type RigContext, scaled, withFolder, within } from './rig.ts';

const child = join(import.meta.dirname, 'children', 'sharing-a-file.ts');
/** Far more than BusyTimeoutMs. */
const PATIENCE_MS = 60_000;
const lockHolder = join(import.meta.dirname, 'children', 'holding-a-lock.ts');

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  await withFolder(async (folder) => {
    for (const processes of [2, 4]) {
      const rounds = scaled(6, scale);
      for (let round = 0; round < rounds; round++) {
        await share(join(folder, `${processes}-${round}.db`), processes, scaled(5000, scale, 1000));
      }
    }
    await meetLock(join(folder, 'locked.db'), join(folder, 'other.db'));
  });

  async function share(dbPath: string, processes: number, milliseconds: number): Promise<void> {
    const acknowledged = new Array<number>(processes).fill(0);
    const victim = random.below(processes);
    const ends = acknowledged.map(async (_, index) => {
      const process_ = spawn(process.execPath, [child, dbPath, ...[index, processes, milliseconds].map(String)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const lines = createInterface({ input: process_.stdout });
      lines.on('line', (line) => {
        acknowledged[index] = Number(line);
      });
      const ended = once(process_, 'close');
      if (index === victim) {
        await Promise.race([once(lines, 'line'), ended]);
        setTimeout(() => process_.kill('SIGKILL'), random.next() * milliseconds * 0.8);
      }
      const [code] = (await ended) as [number | null];
      if (index !== victim && code !== 0) report.violation(`process ${index} of ${processes} ended with ${code}`);
    });
    await within(milliseconds + 90_000, `${processes} processes`, Promise.all(ends));
    report.count(`runs of ${processes} processes, one of them killed`);
    const sound = integrityOf(dbPath);
    if (sound !== 'ok') report.violation(`${processes} processes: integrity_check: ${sound}`);
    const stored = new Map<number, Uint8Array>();
    reading(dbPath, (database) => {
      for (const { clock, data } of database.prepare('SELECT clock, data FROM patches').iterate()) {
        stored.set(clock as number, data as Uint8Array);
      }
    });
    let missing = 0;
    for (const [index, rounds] of acknowledged.entries()) {
      for (let round = 0; round < rounds; round++) {
        const clock = round * processes + index + 1;
        const bytes = stored.get(clock);
        if (bytes === undefined || !patchOf(0, clock).equals(bytes)) missing++;
      }
      report.count('acknowledged patches found again', rounds);
      report.most(`most patches of one of ${processes} processes`, rounds);
    }
    if (missing > 0)
      report.violation(`seed ${seed}: ${missing} patches acknowledged by ${processes} processes are not there`);
  }

  async function meetLock(dbPath: string, otherPath: string): Promise<void> {
    const patient = new SDS_DesktopPersistenceProvider(dbPath, 'store', {
      Acknowledge: 'committed',
      BusyTimeoutMs: 3000,
    });
    const others = Array.from({ length: 4 }, (_, i) => new SDS_DesktopPersistenceProvider(`${otherPath}${i}`, 'store'));
    await patient.appendPatch(new Uint8Array([1]), 1);
    await Promise.all(others.map((other) => other.ready()));
    const holder = spawn(process.execPath, [lockHolder, dbPath], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(createInterface({ input: holder.stdout }), 'line');
    let turns = 0;
    let settled = false;
    const code = Promise.allSettled([
      patient.appendPatch(new Uint8Array([2]), 2),
      patient.saveValue('hash', new Uint8Array([3])),
      patient.loadPatchesSince(0),
    ]).then((outcomes) => {
      settled = true;
      return outcomes.map((outcome) => (outcome.status === 'rejected' ? codeOf(outcome.reason) : 'carried out'));
    });
    // the event loop turns, and files on the same worker proceed, while the lock is waited for
    let proceeded = 0;
    const deadline = performance.now() + PATIENCE_MS;
    while (!settled && performance.now() < deadline) {
      turns++;
      const before = settled;
      await Promise.all(others.map((other) => other.appendPatch(new Uint8Array([turns & 255]), turns)));
      if (!before && !settled) proceeded++;
      await new Promise(setImmediate);
    }
    report.count('batches of other files while one was locked', proceeded * others.length);
    if (proceeded < 2) report.violation(`only ${proceeded} batches of other files while one was locked`);
    if (!settled) report.violation(`a locked file with BusyTimeoutMs 3000: not settled after ${PATIENCE_MS} ms`);
    const codes = await within(60_000, 'database-busy', code);
    if (codes[0] !== 'database-busy' || codes[1] !== 'database-busy')
      report.violation(`a locked file: ${codes.join()}`);
    const waiting = patient.appendPatch(new Uint8Array([4]), 3).then(() => 'carried out', codeOf);
    const ended = once(holder, 'close');
    holder.stdin.end();
    await ended;
    const afterwards = await within(60_000, 'the lock to be let go', waiting);
    if (afterwards !== 'carried out' && afterwards !== 'database-busy') report.violation(`after a lock: ${afterwards}`);
    await patient.appendPatch(new Uint8Array([5]), 4);
    await Promise.all([patient, ...others].map((provider) => provider.close()));
    const database = new DatabaseSync(dbPath);
    const clocks = database.prepare("SELECT clock FROM patches WHERE store_id = 'store' ORDER BY clock").all();
    const values = database.prepare('SELECT count(*) AS count FROM blobs').get()?.count;
    database.close();
    const wanted = afterwards === 'carried out' ? '1,3,4' : '1,4';
    const found = clocks.map(({ clock }) => clock).join();
    if (found !== wanted || values !== 0)
      report.violation(`after a lock: patches ${found} and ${values} values are there`);
  }
}
