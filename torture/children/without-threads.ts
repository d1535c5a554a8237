/**
 * Runs with torture/faulty-calls.c preloaded: mixed calls on three files, each with a thread of its own, and threads that
 * are terminated while no other can be started. As long as one lives, it serves all of them, and nothing is lost.
 */
import { mkdtempSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { sqliteFiles } from '../../tests/support/engine.ts';
import { FaultControl, THREADS } from '../fault-control.ts';
import { livingWorkers } from '../living-workers.ts';
import { MixedCalls } from '../mixed-calls.ts';
import { Random } from '../random.ts';
import { codeOf, type Report, within } from '../rig.ts';

const PATIENCE_MS = 60_000;
const [folder = '', controlPath = '', error = '', seed = '1', rounds = '1'] = process.argv.slice(2);
const control = new FaultControl(controlPath);
const random = new Random(Number(seed));
const codes: Record<string, number> = {};
const violations: string[] = [];
let faults = 0;
let largest = 0;
let alone = 0;
const report: Report = {
  count: () => {},
  most: () => {},
  skip: () => {},
  violation: (what) => violations.push(`${error}, seed ${seed}: ${what}`),
};

// Node's own threads for files are started with their first work, and must not be among those that fail
await Promise.all(Array.from({ length: 8 }, () => stat(folder)));
const engine = sqliteFiles();
const places = Array.from({ length: 3 }, (_, i) => join(mkdtempSync(join(folder, 'threads-')), `${i}.db`));
const files = places.map((place) => new MixedCalls(engine, place, random, report));
await Promise.all(files.flatMap(({ subjects }) => subjects.map(({ provider }) => provider.ready())));

for (let round = 0; round < Number(rounds) && violations.length < 20; round++) {
  const where = `round ${round}`;
  // in every third one all threads are to be had: those without one get it back with the next loss
  const scarce = round % 3 !== 2;
  if (scarce) control.arm(THREADS, error, 1, true);
  const times = random.below(60) + 10;
  const at = random.below(times);
  for (let i = 0; i < times; i++) {
    for (const calls of files) calls.make();
    if (i === at) terminate(scarce);
    if (random.chance(0.05)) await new Promise(setImmediate);
  }
  for (const calls of files) {
    await calls.judge(where, ({ handedOver }, code) => code === 'worker-lost' && handedOver);
  }
  if (livingWorkers.size === 1) alone++;
  largest = Math.max(largest, livingWorkers.size);
  faults += control.disarm();
}

/** One of the threads, but never the last one while there is no other. */
function terminate(scarce: boolean): void {
  if (scarce && livingWorkers.size < 2) return;
  void random.pick([...livingWorkers]).terminate();
}

// none at all: an error of ours that names the cause, and as soon as there are threads again all goes on
control.arm(THREADS, error, 1, true);
for (const worker of livingWorkers) void worker.terminate();
for (const { subjects } of files) {
  const [subject] = subjects;
  const outcome = subject?.provider.appendPatch(new Uint8Array(1), 5000);
  const reason = await within(PATIENCE_MS, 'a call without threads', Promise.allSettled([outcome]));
  const [settled] = reason;
  if (settled?.status !== 'rejected') violations.push(`${error}: without any thread a call was carried out`);
  else {
    const code = codeOf(settled.reason);
    codes[code] = (codes[code] ?? 0) + 1;
    if (code !== 'worker-lost') violations.push(`${error}: without any thread ${code}`);
    const cause = (settled.reason as { cause?: { code?: string; message?: string } }).cause;
    if (cause?.code !== 'ERR_WORKER_INIT_FAILED')
      violations.push(`${error}: without any thread, cause: ${cause?.message}`);
  }
}
faults += control.disarm();
await Promise.all(files.map((calls) => calls.close()));
for (const place of places) {
  const provider = new SDS_DesktopPersistenceProvider(place, 'later');
  await within(PATIENCE_MS, 'a new provider', provider.appendPatch(new Uint8Array(1), 1));
  await provider.close();
}
if (alone === 0) violations.push(`${error}: there was never one thread alone, so nothing was tried`);
if (largest < 2) violations.push(`${error}: those without a thread never got one back`);
console.log(JSON.stringify({ faults: { 'threads that could not be started': faults }, codes, violations }));
process.exit();
