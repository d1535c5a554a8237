/**
 * Runs with torture/faulty-calls.c preloaded, on one worker: ten files, and for one of them the n-th system call of one
 * kind fails in one phase of its life, in each way that a system knows, for each n until the phase has no more such calls.
 * What the one is told, and that the nine others notice nothing.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { integrityOf } from '../database-rows.ts';
import { FaultControl } from '../fault-control.ts';
import { codeOf, within } from '../rig.ts';

const PATIENCE_MS = 60_000;
const [folder = '', controlPath = '', phase = 'open', tasks = '[]', most = '300'] = process.argv.slice(2);
/** A kind of calls, by the bit that the C side knows, and the errors that they meet. */
interface Task {
  what: string;
  bit: number;
  errors: string[];
}
const READS = 128;
const control = new FaultControl(controlPath);
const codes: Record<string, number> = {};
const violations: string[] = [];
const faults: Record<string, number> = {};
let workers = 0;
process.on('worker', () => workers++);

const fitting: Record<string, string[]> = {
  ENOSPC: ['database-full'],
  EDQUOT: ['database-full'],
  EACCES: ['read-only'],
  EPERM: ['read-only'],
  EROFS: ['read-only'],
};

function isRight(code: string, error: string, bit: number): boolean {
  if (code === 'io-error' || code === 'open-failed') return true; // any trouble of the system
  // so SQLite has it: the file system is damaged (vdbe.c, SQLITE_IOERR_CORRUPTFS)
  if ((bit & READS) !== 0 && error === 'EIO' && code === 'database-corrupt') return true;
  return fitting[error]?.includes(code) ?? false;
}

interface Neighbour {
  provider: SDS_DesktopPersistenceProvider;
  path: string;
  clock: number;
}

const neighbours: Neighbour[] = Array.from({ length: 9 }, (_, index) => {
  const path = join(folder, `neighbour-${phase}-${index}.db`);
  return { provider: new SDS_DesktopPersistenceProvider(path, 'store'), path, clock: 0 };
});
mkdirSync(join(folder, 'faulty-folder'), { recursive: true });
await Promise.all(neighbours.map(({ provider }) => provider.ready()));

/** In the same turn as what the one file does: of the nine, nothing may fail, be late or be lost. */
function writeToOthers(): Promise<unknown> {
  return Promise.all(neighbours.map((one) => one.provider.appendPatch(new Uint8Array(100).fill(7), ++one.clock)));
}

for (const { what, bit, errors } of JSON.parse(tasks) as Task[]) {
  for (const [index, error] of errors.entries()) {
    for (let n = 1; n <= Number(most) && violations.length < 20; n++) {
      const where = `${what}: ${error} at call ${n}`;
      try {
        // every other time, all calls from the n-th on fail until the trouble ends
        if (!(await once(where, bit, error, n, (n + index) % 2 === 1))) break;
        faults[what] = (faults[what] ?? 0) + 1;
      } catch (thrown) {
        control.disarm();
        violations.push(`${where}: ${String(thrown)}`);
      }
    }
  }
}
for (const { provider, path, clock } of neighbours) {
  const { length } = await within(PATIENCE_MS, 'a load', provider.loadPatchesSince(0));
  if (length !== clock) violations.push(`of ${clock} acknowledged patches of a neighbour ${length} are there`);
  await within(PATIENCE_MS, 'close', provider.close());
  const sound = integrityOf(path);
  if (sound !== 'ok') violations.push(`a neighbour: integrity_check: ${sound}`);
}
if (workers !== 1) violations.push(`${workers} threads were started instead of one`);
console.log(JSON.stringify({ faults, codes, violations }));

async function once(where: string, bit: number, error: string, n: number, stays: boolean): Promise<boolean> {
  const dbPath = join(folder, 'faulty-folder', `${phase}-${bit}-${error}-${n}.db`);
  const open = () =>
    new SDS_DesktopPersistenceProvider(dbPath, 'store', { BusyTimeoutMs: 30, Acknowledge: 'committed' });
  const acknowledged = new Set<number>();
  let clock = 0;

  const settle = async (outcomes: Record<string, Promise<unknown>>) => {
    const others = within(PATIENCE_MS, `${where}: writing to the others`, writeToOthers());
    const settled = await within(PATIENCE_MS, where, Promise.allSettled(Object.values(outcomes)));
    for (const [i, outcome] of settled.entries()) if (outcome.status === 'rejected') judge(i, outcome.reason);
    await others;
    return settled.map(({ status }) => status === 'fulfilled');

    function judge(i: number, reason: unknown): void {
      const code = codeOf(reason);
      codes[code] = (codes[code] ?? 0) + 1;
      const call = `${where}: ${Object.keys(outcomes)[i]}`;
      if (!isRight(code, error, bit)) violations.push(`${call} was rejected with ${code}`);
      const { cause } = reason as { cause?: { code?: string } };
      if (cause === undefined) violations.push(`${call} was rejected with ${code}, without a cause`);
      const reported = cause?.code ?? '';
      if (/^E[A-Z]+$/.test(reported) && reported !== error)
        violations.push(`${call} was rejected because of ${reported}`);
    }
  };
  const append = async (provider: SDS_DesktopPersistenceProvider, others: Record<string, Promise<unknown>> = {}) => {
    const numbers = [++clock, ++clock];
    const [first = 0, second = 0] = numbers;
    const patches = {
      appendPatch: provider.appendPatch(new Uint8Array(50), first),
      saveValue: provider.saveValue(`hash ${first}`, new Uint8Array(20)),
      'appendPatch, again': provider.appendPatch(new Uint8Array(3000), second),
    };
    const [one, , two] = await settle({ ...patches, ...others });
    if (one) acknowledged.add(first);
    if (two) acknowledged.add(second);
    return one && two;
  };

  let provider: SDS_DesktopPersistenceProvider;
  if (phase === 'open') {
    control.arm(bit, error, n, stays);
    provider = open();
    await append(provider, { ready: provider.ready() });
  } else {
    provider = open();
    await append(provider, { ready: provider.ready() });
    control.arm(bit, error, n, stays);
    if (phase === 'serve') {
      await append(provider, {
        saveSnapshot: provider.saveSnapshot(new Uint8Array(200_000), clock),
        loadSnapshot: provider.loadSnapshot(),
        loadPatchesSince: provider.loadPatchesSince(0),
        flush: provider.flush(),
      });
      await append(provider);
    } else {
      await settle({ close: provider.close() });
    }
  }
  const happened = control.disarm() > 0;
  if (phase === 'close') provider = open();
  if (!(await append(provider))) violations.push(`${where}: does not go on after the fault`);
  const loaded = await within(PATIENCE_MS, `${where}: a load`, provider.loadPatchesSince(0));
  if (loaded.length < acknowledged.size) violations.push(`${where}: ${loaded.length} of ${acknowledged.size} loaded`);
  await within(PATIENCE_MS, `${where}: close`, provider.close());
  const sound = integrityOf(dbPath);
  if (sound !== 'ok') violations.push(`${where}: integrity_check: ${sound}`);
  for (const end of ['', '-wal', '-shm']) rmSync(dbPath + end, { force: true });
  return happened;
}
