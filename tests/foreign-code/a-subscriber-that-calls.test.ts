/** A subscriber of a channel may make any call: it finds all as if the call that it is told of had been made before. */
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { existsSync } from 'node:fs';
import { backupDatabase, SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { livingWorkers } from '../../torture/living-workers.ts';
import { traced } from '../observe/listening.ts';
import { freshFile, patchOf, rowsOf } from '../support/files.ts';
import { lockUntilBlocked } from '../support/once-blocked.ts';
import { runProgram } from '../support/programs.ts';

/** Subscribes until the test has ended; what `call` brings about is not told to it. */
function on(name: string, call: (context: Record<string, unknown>) => void): void {
  let inside = false;
  const listener = (context: unknown) => {
    if (inside) return;
    inside = true;
    try {
      call(context as Record<string, unknown>);
    } finally {
      inside = false;
    }
  };
  subscribe(name, listener);
  onTestFinished(() => void unsubscribe(name, listener));
}

/** What a program begins with that has its first `worker` replaced, and subscribes to what Node tells of the next one. */
const firstWorker = `
    import { subscribe } from 'node:diagnostics_channel';
    let worker;
    process.on('worker', (started) => (worker ??= started));`;

const clocksIn = (file: string) => rowsOf(file).patches.map(({ clock }) => clock);
const textsOf = (patches: readonly Uint8Array[]) => patches.map((patch) => new TextDecoder().decode(patch));

it('large values saved as a batch begins: what is acknowledged is in the file, and nothing hangs', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  const saved: Promise<void>[] = [];
  on('tracing:sds-persistence:commit:start', () => {
    saved.push(provider.saveValue(`value ${saved.length}`, new Uint8Array(300_000)));
  });
  for (let clock = 1; clock <= 12; clock++) {
    await provider.appendPatch(patchOf(clock), clock);
    expect(clocksIn(file)).toContain(clock);
  }
  await Promise.all(saved);
  await provider.flush(); // those promises have resolved when they were queued
  expect(rowsOf(file).blobs).toHaveLength(saved.length);
  expect(saved.length).toBeGreaterThan(0);
});

it('a patch appended as a load begins is called after it: the load does not see it, the next one does', async () => {
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
  await provider.appendPatch(patchOf(1), 1);
  on('tracing:sds-persistence:load:start', () => void provider.appendPatch(patchOf(2), 2));
  expect(textsOf(await provider.loadPatchesSince(0))).toEqual(['patch 1']);
  expect(textsOf(await provider.loadPatchesSince(0))).toEqual(['patch 1', 'patch 2']);
});

it('a patch appended as a batch begins gets a promise of its own place: both are stored, each with its bytes', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.ready();
  const within: Promise<void>[] = [];
  on('tracing:sds-persistence:commit:start', () => {
    within.push(provider.saveSnapshot(patchOf('snapshot'), 1), provider.appendPatch(patchOf(2), 2));
  });
  await provider.appendPatch(patchOf(1), 1);
  expect(clocksIn(file)).toContain(1);
  await Promise.all(within);
  expect(clocksIn(file)).toEqual([1, 2]);
  expect(rowsOf(file).snapshots).toHaveLength(1);
});

it('while a provider is being made, another one on its file is written to', async () => {
  const file = freshFile();
  await using first = new SDS_DesktopPersistenceProvider(file, 'first');
  await first.ready();
  on('tracing:sds-persistence:open:start', () => void first.appendPatch(patchOf(1), 1));
  await using second = new SDS_DesktopPersistenceProvider(file, 'second');
  await second.appendPatch(patchOf(2), 2);
  expect(textsOf(await first.loadPatchesSince(0))).toEqual(['patch 1']);
  expect(textsOf(await second.loadPatchesSince(0))).toEqual(['patch 2']);
});

it('bytes changed while their call is held: what they were at the call is stored', async () => {
  const file = freshFile();
  const options = { MaxPendingBytes: 1, BusyTimeoutMs: 60_000 };
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store', options);
  await provider.ready();
  lockUntilBlocked(file);
  const bytes = new Uint8Array(20_000);
  // told while later calls wait for room
  on('tracing:sds-persistence:commit:asyncEnd', () => void bytes.fill(255));
  const calls: Promise<void>[] = [];
  for (let clock = 1; clock <= 50; clock++) {
    bytes.fill(clock);
    calls.push(provider.appendPatch(bytes, clock));
  }
  await Promise.all(calls);
  expect(provider.statistics().Held.Calls).toBeGreaterThan(0);
  for (const [index, patch] of (await provider.loadPatchesSince(0)).entries()) {
    expect(patch.every((byte) => byte === index + 1)).toBe(true);
  }
});

it('flushed as a batch begins: it is committed when that returns, and its events come in order', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.ready();
  const found: unknown[][] = [];
  on('tracing:sds-persistence:commit:start', () => {
    provider.flushSync();
    found.push(clocksIn(file));
  });
  const commits = traced('commit');
  await provider.appendPatch(patchOf(1), 1);
  expect(found).toEqual([[1]]);
  expect(commits.events).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
});

it('a subscriber that freezes what it is told, or has put a setter on it: nothing waits for it in vain', async () => {
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
  const contexts: object[] = [];
  const keep = (context: Record<string, unknown>) => {
    contexts.push(context);
    if (contexts.length === 1) Object.freeze(context);
    else Object.defineProperty(context, 'Bytes', { configurable: true, set: () => expect.unreachable() });
  };
  const tracing = tracingChannel('sds-persistence:commit');
  tracing.start.subscribe(keep as (context: unknown) => void);
  onTestFinished(() => void tracing.start.unsubscribe(keep as (context: unknown) => void));
  await provider.appendPatch(patchOf(1), 1);
  await provider.appendPatch(patchOf(2), 2);
  expect(contexts[1]).toMatchObject({ Patches: 1, Bytes: 7 });
  expect(await provider.loadPatchesSince(0)).toHaveLength(2);
});

it('a thread is lost: whoever is told may block until all is stored', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.appendPatch(patchOf(1), 1);
  const found: unknown[][] = [];
  on('sds-persistence:worker-lost', ({ Files }) => {
    if (Files === 0) return; // of a test before this one
    provider.appendPatch(patchOf(2), 2).catch(() => undefined);
    expect(provider.flushSync()).toBe(true);
    found.push(clocksIn(file));
  });
  const { Restarts } = provider.statistics().Worker;
  await Promise.all([...livingWorkers].map((worker) => worker.terminate()));
  await expect.poll(() => found).toEqual([[1, 2]]);
  expect(provider.statistics().Worker.Restarts).toBe(Restarts + 1);
});

it('one that Node tells of each new thread, and that calls as a lost one is replaced: one thread is started for that', async () => {
  const file = freshFile();
  const { stdout } = await runProgram(
    `${firstWorker}
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.appendPatch(patchOf(1), 1);
    let started = 1;
    const called = [];
    subscribe('worker_threads', () => {
      if (++started > 5) return;
      called.push(provider.appendPatch(patchOf(started), started));
      provider.flushSync();
    });
    await endThread(worker);
    await Promise.all(called);
    console.log(started, (await provider.loadPatchesSince(0)).length);
    await provider.close();`,
    file,
  );
  expect(stdout).toBe('2 2\n');
});

it('the same while a call is held for want of room: what can not be held as well is refused', async () => {
  const file = freshFile();
  const { stdout } = await runProgram(
    `${firstWorker}
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { MaxPendingBytes: 1, BusyTimeoutMs: 60_000 });
    await provider.ready();
    const holder = lockFile(file);
    const outcomes = [];
    const append = (clock) => // the batch has no room for another one
      outcomes.push(provider.appendPatch(new Uint8Array(3000), clock).then(() => 'stored', ({ code }) => code));
    subscribe('worker_threads', () => {
      append(3);
      holder.close();
    });
    append(1);
    worker.terminate();
    append(2);
    console.log((await Promise.all(outcomes)).join(), provider.refusedWrites);
    await provider.close();`,
    file,
  );
  expect(stdout).toBe('stored,queue-full,stored 1\n');
  expect(clocksIn(file)).toEqual([1, 2]);
});

it('the same while flushSync waits: what is called then, and waited for within, is stored as well before flushSync returns', async () => {
  const { stdout } = await runProgram(
    `${firstWorker}
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.appendPatch(patchOf(1), 1);
    let called;
    subscribe('worker_threads', () => {
      if (called !== undefined) return;
      called = [provider.loadPatchesSince(0), provider.appendPatch(patchOf(3), 3)];
      provider.flushSync(); // there is no thread yet
    });
    worker.terminate();
    const stored = provider.appendPatch(patchOf(2), 2);
    const isStored = provider.flushSync(20_000); // a blocked thread gets no answer to the load, and sends what is behind it
    const [patches] = await Promise.all([...called, stored]);
    console.log(isStored, patches.length);
    await provider.close();`,
    freshFile(),
  );
  expect(stdout).toBe('true 2\n');
});

it('stopped as Node tells of the thread that is started for it, a backup rejects with the reason, and there is none', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.appendPatch(patchOf(1), 1);
  const [control, reason] = [new AbortController(), new Error('not any more')];
  on('worker_threads', () => control.abort(reason));
  await expect(backupDatabase(file, `${file}.saved`, { Signal: control.signal })).rejects.toBe(reason);
  expect(existsSync(`${file}.saved`)).toBe(false);
});

it('what a subscriber throws is an uncaught error, and changes no result', async () => {
  const program = `import { channel, tracingChannel } from 'node:diagnostics_channel';
const uncaught = [];
process.on('uncaughtException', ({ message }) => uncaught.push(message));
const fails = (event) => () => { throw new Error(event); };
const subscribers = { start: fails('start'), end: fails('end'), asyncStart: fails('asyncStart'), asyncEnd: fails('asyncEnd') };
tracingChannel('sds-persistence:commit').subscribe(subscribers);
tracingChannel('sds-persistence:load').subscribe(subscribers);
const provider = new SDS_DesktopPersistenceProvider(file, 'store');
await provider.appendPatch(patchOf(1), 1);
console.log((await provider.loadPatchesSince(0)).length);
await provider.close();
console.log(uncaught.length);`;
  expect(await runProgram(program, freshFile())).toMatchObject({ code: 0, stdout: '1\n8\n', stderr: '' });
});

it('a program that has its own emitWarning, and its own stderr, and calls in them', async () => {
  const file = freshFile();
  const program = `
const write = process.stderr.write;
let provider, inside = false, count = 0;
const call = (why) => {
  if (inside || provider === undefined) return;
  inside = true;
  for (let i = 0; i < 3; i++) provider.saveValue('value', new Uint8Array(300_000)).catch(console.log);
  count += 3;
  inside = false;
  throw new Error(why);
};
process.on('uncaughtException', () => {});
process.emitWarning = () => call('warning');
process.stderr.write = (text) => /SDS-PERSISTENCE/.test(text) ? call('line') : write.call(process.stderr, text);
provider = new SDS_DesktopPersistenceProvider(file, 'store');
const calls = [];
for (let clock = 1; clock <= 5; clock++) calls.push(provider.appendPatch(patchOf(clock), clock), provider.appendPatch(patchOf('other'), clock));
await Promise.all(calls);
await provider.loadSnapshot();
inside = true;
await provider.close();
console.log(count > 0, count);`;
  const { code, stdout } = await runProgram(program, file, { env: { NODE_DEBUG: 'sds-persistence' } });
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^true \d+\n$/) });
  expect(clocksIn(file)).toEqual([1, 2, 3, 4, 5]);
  expect(rowsOf(file).blobs.map(({ ref_count }) => ref_count)).toEqual([Number(stdout.split(' ')[1])]);
});

it('a subscriber that ends the process as a batch begins: the patch is stored', async () => {
  const file = freshFile();
  const program = `import { tracingChannel } from 'node:diagnostics_channel';
const provider = new SDS_DesktopPersistenceProvider(file, 'store');
await provider.ready();
tracingChannel('sds-persistence:commit').start.subscribe(() => process.exit(7));
void provider.appendPatch(patchOf(1), 1);`;
  expect(await runProgram(program, file)).toMatchObject({ code: 7, stderr: '' });
  expect(clocksIn(file)).toEqual([1]);
});

it('at the end of the process: what is committed then is told, and what a subscriber calls is stored', async () => {
  const file = freshFile();
  const program = `import { tracingChannel } from 'node:diagnostics_channel';
const provider = new SDS_DesktopPersistenceProvider(file, 'store');
const told = [];
let clock = 1;
tracingChannel('sds-persistence:commit').subscribe({
  asyncEnd({ Patches }) {
    told.push(Patches);
    provider.appendPatch(patchOf(++clock), clock).catch(() => {});
  },
});
process.on('exit', () => console.log(told.join()));
provider.appendPatch(patchOf(1), 1).catch(() => {});
process.exit();`;
  expect(await runProgram(program, file)).toMatchObject({ code: 0, stderr: '', stdout: '1,1\n' });
  expect(clocksIn(file)).toEqual([1, 2, 3]);
});
