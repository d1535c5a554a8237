/** A file that is busy is waited for, however many providers it has, and however long nothing else is called. */
import { DatabaseSync } from 'node:sqlite';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { cellTime } from '../../src/protocol/clock.ts';
import { CONTROL_CELLS } from '../../src/protocol/control.ts';
import { Ring } from '../../src/protocol/ring.ts';
import { EngineError } from '../../src/worker/engine.ts';
import { Loop } from '../../src/worker/loop.ts';
import { patiently, WaitedInVain } from '../../src/worker/patience.ts';
import { aMember } from '../support/a-member.ts';
import { freshFile, patchOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

it('a hundred and fifty thousand providers, of which one wants to wait', () => {
  const callers = new Set(
    Array.from({ length: 150_000 }, (_, index) => ({ ...aMember, BusyTimeoutMs: index === 7 ? 1e6 : 0 })),
  );
  const inVain = new WaitedInVain();
  for (const caller of callers) inVain.came(caller);
  let attempts = 0;
  const task = patiently(() => {
    if (++attempts < 3) throw new EngineError('database-busy', { message: 'database is locked' });
    return 'done';
  }, inVain);
  expect(task.next()).toMatchObject({ done: false, value: expect.any(Number) });
  expect(task.next()).toMatchObject({ done: false, value: expect.any(Number) });
  expect(task.next()).toEqual({ done: true, value: 'done' });
  for (const caller of callers) {
    callers.delete(caller);
    inVain.went(caller, callers);
    if (caller.BusyTimeoutMs > 0) break;
  }
  expect(inVain.leftMs).toBe(0);
});

it('one that has waited along goes, and those that are left want to wait for less: there is no less than no time left', () => {
  const inVain = new WaitedInVain();
  const patient = { ...aMember, BusyTimeoutMs: 5000 };
  const other = { ...aMember, BusyTimeoutMs: 100 };
  inVain.came(patient);
  inVain.came(other);
  inVain.hasWaited(4000);
  inVain.went(patient, new Set([other]));
  expect(inVain.leftMs).toBe(20);
  inVain.went(other, new Set());
  expect(inVain.leftMs).toBe(0);
});

it('what is refused because a call before it has waited in vain does not wait as well', () => {
  const inVain = new WaitedInVain();
  inVain.came({ ...aMember, BusyTimeoutMs: 60_000 });
  const refused = () => {
    throw new EngineError('database-busy', { message: 'the snapshot called before was not stored' }, true);
  };
  expect(() => patiently(refused, inVain).next()).toThrow('was not stored');
});

it('a process that is stopped while one call waits: another one has not waited along for all of that', () => {
  const inVain = new WaitedInVain();
  inVain.came({ ...aMember, BusyTimeoutMs: 4000 });
  const sleepUntil = (time: number) =>
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.max(time - performance.now(), 0));
  const busy = () => {
    throw new EngineError('database-busy', { message: 'database is locked' });
  };
  const task = patiently(busy, inVain);
  const begunAt = performance.now();
  inVain.begin(cellTime(begunAt), true);
  let secondAt: number | undefined;
  expect(() => {
    for (;;) {
      sleepUntil(Number(task.next().value));
      if (secondAt !== undefined || performance.now() < begunAt + 1000) continue;
      secondAt = performance.now();
      sleepUntil(secondAt + 3000);
    }
  }).toThrow('database is locked');
  const waitedMs = performance.now() - Number(secondAt) - 3000;
  inVain.begin(cellTime(Number(secondAt)), true);
  expect(inVain.alongMs).toBeLessThan(waitedMs + 100);
});

it('a process that is stopped within an attempt goes on waiting', () => {
  const inVain = new WaitedInVain();
  inVain.came({ ...aMember, BusyTimeoutMs: 1000 });
  const stopped = () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
    throw new EngineError('database-busy', { message: 'database is locked' });
  };
  expect(patiently(stopped, inVain).next()).toMatchObject({ done: false });
});

it('an attempt to open a locked file goes on until it is free, though nothing else is called', async () => {
  const ended = await runProgram(
    `import { DatabaseSync } from 'node:sqlite';
    const holder = new DatabaseSync(file);
    holder.exec('BEGIN EXCLUSIVE; CREATE TABLE notes (text)');
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 60_000 });
    // longer than the worker looks for more before it returns to its event loop
    setTimeout(() => holder.close(), 1500);
    setTimeout(() => process.exit(7), 30_000).unref();
    await provider.ready();
    console.log(provider.status);
    await provider.close();`,
    freshFile(),
  );
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'open\n', stderr: '' });
});

it('of many locked files of a thread each is tried the less often, so that other files have their turn', () => {
  const inVain = new WaitedInVain();
  inVain.came({ ...aMember, BusyTimeoutMs: 60_000 });
  const busy = () => {
    throw new EngineError('database-busy', { message: 'database is locked' });
  };
  const tasks = Array.from({ length: 100 }, () => patiently(busy, inVain));
  const attempts = tasks.map((task) => task.next().value as number);
  attempts.sort((one, other) => one - other);
  const pauses = attempts.slice(1).map((attempt, index) => attempt - (attempts[index] ?? 0));
  // a quarter of a millisecond, but for what adding up costs in digits
  expect(Math.min(...pauses)).toBeGreaterThan(0.249);
});

it('what waits for a moment only takes no turn that it does not use: another file is not put off by thousands of such calls', () => {
  const busy = () => {
    throw new EngineError('database-busy', { message: 'database is locked' });
  };
  const waiting = (BusyTimeoutMs: number) => {
    const inVain = new WaitedInVain();
    inVain.came({ ...aMember, BusyTimeoutMs });
    return patiently(busy, inVain);
  };
  for (let call = 0; call < 10_000; call++) waiting(500).next();
  const attempt = waiting(60_000).next().value as number;
  // a quarter of a millisecond for each of them would be 2500
  expect(attempt - performance.now()).toBeLessThan(1000);
  // nor is such a call put off by others
  for (let call = 0; call < 10_000; call++) waiting(60_000).next();
  const last = waiting(500).next().value as number;
  expect(last - performance.now()).toBeLessThan(1000);
});

it('the worker sleeps between two attempts, however long nothing else is called', async () => {
  const control = new Int32Array(new SharedArrayBuffer(4 * CONTROL_CELLS));
  let retryAt = 0;
  let rounds = 0;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const work = {
    take: () => undefined,
    proceed() {
      rounds++;
      const now = performance.now();
      if (retryAt === 0) retryAt = now + 200;
      if (now < retryAt) return retryAt;
      resolve();
      return Number.POSITIVE_INFINITY;
    },
    waitsForPromise: false,
    pause: () => undefined,
    tidyUp: () => false,
  };
  const loop = new Loop(control, new Ring(control), work, 0, { isAlone: true });
  loop.schedule();
  await done;
  // a wait may end a moment too early
  expect(rounds).toBeLessThan(10);
});

it('a provider that wants to wait for long goes: the one that is left waits for no longer than it wants to', async () => {
  const file = freshFile();
  const patient = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 600_000 });
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 0 });
  await Promise.all([patient.ready(), provider.ready()]);
  await patient.close();
  using holder = new DatabaseSync(file);
  holder.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  await expect(provider.appendPatch(patchOf(1), 1)).rejects.toMatchObject({ code: 'database-busy' });
});
