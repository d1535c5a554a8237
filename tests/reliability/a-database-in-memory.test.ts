/** A database in memory is gone with its worker; whoever opens one of its name after that has a new one. */
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

it.each([
  [':memory:', 0],
  ['file:notes?mode=memory&cache=shared', 2],
])('%s after the loss of its worker', async (name, shared) => {
  const { stdout, stderr } = await runProgram(
    `let worker;
    process.on('worker', (started) => (worker = started));
    const outcome = (promise) =>
      promise.then(() => 'fine', ({ code, message }) => (message.endsWith('; make another provider') ? code : message));
    const open = () => new SDS_DesktopPersistenceProvider(${JSON.stringify(name)}, 'store');
    const [first, second] = [open(), open()];
    await first.appendPatch(patchOf(1), 1);
    await second.ready();
    await endThread(worker);
    const calls = [first.appendPatch(patchOf(2), 2), first.loadPatchesSince(0), second.flush()];
    const told = await Promise.all(calls.map(outcome));
    const next = open(); // as long as the others are there
    told.push(await outcome(next.appendPatch(patchOf(1), 1)), (await next.loadPatchesSince(0)).length);
    told.push(await outcome(first.close()), await outcome(second.close()));
    told.push(await outcome(next.appendPatch(patchOf(2), 2)), (await next.loadPatchesSince(0)).length);
    const last = open(); // of the file of the one that is open by now
    told.push(last.statistics().Patches.Appended, (await last.loadPatchesSince(0)).length);
    console.log(told.join());
    await Promise.all([next.close(), last.close()]);`,
    freshFile(),
    { env: { SDS_PERSISTENCE_WORKERS: '1' } },
  );
  expect({ stdout, stderr }).toEqual({
    stdout: `worker-lost,worker-lost,worker-lost,fine,1,fine,fine,fine,2,${shared},${shared}\n`,
    stderr: '',
  });
});

it('what is called before the library hears of that loss is refused, and what is called after that does not wait with it', async () => {
  const { stdout } = await runProgram(
    `let worker;
    process.once('worker', (started) => (worker = started));
    const provider = new SDS_DesktopPersistenceProvider(':memory:', 'store');
    await provider.appendPatch(patchOf(1), 1);
    const outcomes = [];
    const append = (clock) => outcomes.push(provider.appendPatch(patchOf(clock), clock).catch(({ code }) => code));
    worker.prependListener('exit', () => append(2));
    await endThread(worker);
    append(3);
    console.log((await Promise.all(outcomes)).join());`,
    freshFile(),
  );
  expect(stdout).toBe('worker-lost,worker-lost\n');
});

it('the thread that follows the one of a database in memory keeps no process alive', async () => {
  const ended = await runProgram(
    `let worker;
    process.once('worker', (started) => (worker = started));
    const provider = new SDS_DesktopPersistenceProvider(':memory:', 'store');
    await provider.appendPatch(patchOf(1), 1);
    await endThread(worker);
    console.log(await provider.appendPatch(patchOf(2), 2).catch(({ code }) => code));`,
    freshFile(),
  );
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'worker-lost\n', stderr: '' });
});
