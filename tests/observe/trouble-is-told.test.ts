/** What an operator hears of, and the figures that count it: lost workers, a locked file, a file that can't be opened. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { SDS_DesktopPersistenceProvider, SDS_PersistenceError } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { CONTROL_CELLS, PROGRESS } from '../../src/protocol/control.ts';
import { Ring } from '../../src/protocol/ring.ts';
import { Loop } from '../../src/worker/loop.ts';
import { Program } from '../../torture/child-process.ts';
import { livingWorkers } from '../../torture/living-workers.ts';
import { freshFile, freshFolder, patchOf } from '../support/files.ts';
import { told, traced } from './listening.ts';

/** Workers of tests before this one live on, without a file. */
const hasFile = ({ Files }: Record<string, unknown>) => Files !== 0;

it('a worker that is killed is lost, and another one takes over', async () => {
  const [lost, replaced] = [told('worker-lost'), told('worker-replaced')];
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
  await provider.appendPatch(patchOf(1), 1);
  const { Restarts } = provider.statistics().Worker;
  await Promise.all([...livingWorkers].map((worker) => worker.terminate()));
  await provider.appendPatch(patchOf(2), 2);
  expect(lost.filter(hasFile)).toEqual([{ Message: 'Error: the worker thread ended with code 1', Files: 1 }]);
  expect(replaced.filter(hasFile)).toEqual([{ Files: 1 }]);
  expect(provider.statistics().Worker.Restarts).toBe(Restarts + 1);
  expect(provider.statistics().Patches).toEqual({ Appended: 2, Pending: 0, Committed: 2, Failed: 0 });
});

it('where every worker dies as it starts, each is lost, the last is not replaced, and what was called has failed', async () => {
  const [lost, replaced] = [told('worker-lost'), told('worker-replaced')];
  const [opens, commits] = [traced('open'), traced('commit')];
  // before it is given anything: a slow thread would hear of it by an event only when it has served
  const kill = (message: unknown) => void (message as { worker: Worker }).worker.terminate();
  subscribe('worker_threads', kill);
  onTestFinished(() => void unsubscribe('worker_threads', kill));
  // one that lives might open the file before it is ended
  await Promise.all([...livingWorkers].map((worker) => worker.terminate()));
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
  const { Restarts } = provider.statistics().Worker;
  await expect(provider.appendPatch(patchOf(1), 1)).rejects.toMatchObject({ code: 'worker-lost' });
  expect(lost.filter(hasFile).length).toBeGreaterThan(1);
  expect(replaced.filter(hasFile)).toHaveLength(lost.filter(hasFile).length - 1);
  const { Worker, Patches, PatchBytes, Batches } = provider.statistics();
  expect(Worker.Restarts).toBe(Restarts + lost.filter(hasFile).length);
  expect(Patches).toEqual({ Appended: 1, Pending: 0, Committed: 0, Failed: 1 });
  expect(PatchBytes).toEqual({ Appended: 7, Pending: 0, Committed: 0, Failed: 7 });
  expect(Batches).toEqual({ Finished: 1, Failed: 1, WaitedFor: 1 });
  const message = expect.stringContaining('appendPatch (');
  expect(commits.contexts).toMatchObject([{ error: { code: 'worker-lost', message } }]);
  await expect(provider.ready()).rejects.toMatchObject({ code: 'worker-lost' });
  expect(opens.events).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
  expect(opens.contexts[0]?.error).toMatchObject({ code: 'worker-lost', name: 'SDS_Error' });
});

it('while another process holds the lock, each batch that fails is told, and its patches are counted', async () => {
  const [busy, commits] = [told('busy'), traced('commit')];
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 0 });
  await provider.appendPatch(patchOf(1), 1);
  const other = new Program('holding-a-lock', [file]);
  onTestFinished(() => other.end());
  await other.line((line) => line === 'locked');
  for (const outcome of await Promise.allSettled([2, 3].map((clock) => provider.appendPatch(patchOf(clock), clock)))) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'database-busy' } });
  }
  const { Patches, PatchBytes, Batches } = provider.statistics();
  expect(Patches).toEqual({ Appended: 3, Pending: 0, Committed: 1, Failed: 2 });
  expect(PatchBytes).toEqual({ Appended: 21, Pending: 0, Committed: 7, Failed: 14 });
  // the worker may begin with the first while the second is called: then there are two batches
  expect(busy.length).toBeGreaterThan(0);
  expect(Batches).toEqual({ Finished: busy.length + 1, Failed: busy.length, WaitedFor: busy.length + 1 });
  const Message = expect.stringContaining(`appendPatch ('${file}'): another process kept the database locked`);
  for (const message of busy) expect(message).toEqual({ Path: file, Message });
  const failed = commits.contexts.filter(({ error }) => error !== undefined);
  expect(failed).toHaveLength(busy.length);
  for (const { error } of failed) expect(error).toMatchObject({ code: 'database-busy' });

  other.process.stdin?.end();
  await other.ended;
  await provider.appendPatch(patchOf(2), 2);
  expect(provider.statistics().Patches).toEqual({ Appended: 4, Pending: 0, Committed: 2, Failed: 2 });
  expect(provider.statistics().Batches).toEqual({
    Finished: busy.length + 2,
    Failed: busy.length,
    WaitedFor: busy.length + 2,
  });
});

it('each attempt to open is told by itself: one that fails with its error, and the one that succeeds', async () => {
  const opens = traced('open');
  const folder = join(freshFolder(), 'later');
  const file = join(folder, 'store.db');
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await expect(provider.ready()).rejects.toMatchObject({ code: 'open-failed' });
  expect(opens.events.splice(0)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
  const error = opens.contexts[0]?.error;
  expect(error).toBeInstanceOf(SDS_PersistenceError);
  const cause = expect.objectContaining({ message: expect.stringContaining('unable to open') });
  expect(error).toMatchObject({ code: 'open-failed', message: expect.stringContaining(`open ('${file}'): `), cause });
  mkdirSync(folder);
  await provider.ready();
  expect(opens.events).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
  expect(opens.contexts[1]).toEqual({ Path: file, StoreId: 'store' });
});

it('a failure is told at once though nobody waits for what has failed', async () => {
  const control = new Int32Array(new SharedArrayBuffer(4 * CONTROL_CELLS)); // nobody waits: WANTED_LATER
  const nothing = () => undefined;
  const work = { take: nothing, proceed: () => 0, waitsForPromise: false, pause: nothing, tidyUp: () => false };
  const loop = new Loop(control, new Ring(control), work, 0, { isAlone: true });
  const { value } = Atomics.waitAsync(control, PROGRESS, 0, 10_000);
  loop.failed();
  loop.progressed();
  expect(await value).toBe('ok');
});
