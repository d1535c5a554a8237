/** Messages between the threads that can't be posted, as where there is no memory for them: whoever had called is told, and all goes on. */
import { expect, it } from 'vitest';
import { freshFile, patchOf, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/** The next messages to a worker can't be posted: as many as `armed` says; or those of large writes, however often, unless `takesWrites`. */
const failing = `
  import { Worker } from 'node:worker_threads';
  const { postMessage } = Worker.prototype;
  let armed = 0;
  let takesWrites = true;
  Worker.prototype.postMessage = function (...given) {
    const isTaken = takesWrites || given[0]?.path?.[0] !== 'write';
    if (armed === 0 && isTaken) return postMessage.apply(this, given);
    if (isTaken) armed--;
    throw new DOMException('Data cannot be cloned, out of memory.', 'DataCloneError');
  };
  const large = new Uint8Array(200_000);
  const outcome = (promise) => promise.then(() => 'stored', ({ code, message }) => code + ': ' + message);
  const provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.appendPatch(patchOf(0), 1);
`;

it('a large write, with others behind it: it is rejected, they are stored', async () => {
  const file = freshFile();
  const { stdout, stderr } = await runProgram(
    `${failing}
    const outcomes = new Set();
    for (let clock = 2; clock < 60; clock += 2) {
      armed = 1;
      outcomes.add((await Promise.all([
        provider.appendPatch(large, clock), provider.appendPatch(patchOf(clock), clock + 1),
      ].map(outcome))).join());
    }
    await provider.close();
    console.log(JSON.stringify([...outcomes]));`,
    file,
  );
  expect(stderr).toBe('');
  const outcomes = JSON.parse(stdout) as string[];
  expect(outcomes).toEqual([expect.stringMatching(/^io-error: .*appendPatch.*cannot be cloned.*,stored$/)]);
  expect(outcomes[0]).toContain(file);
  const clocks = rowsOf(file).patches.map(({ clock }) => clock as number);
  expect(clocks).toEqual([1, ...Array.from({ length: 29 }, (_, i) => 3 + 2 * i)]);
});

it('a large write that waits for its turn: its place in shared memory is not used for others meanwhile', async () => {
  const { stdout } = await runProgram(
    `${failing}
    import { DatabaseSync } from 'node:sqlite';
    import { setImmediate } from 'node:timers/promises';
    const other = new SDS_DesktopPersistenceProvider(file + ' 2', 'store');
    await other.appendPatch(patchOf(0), 1);
    const blockUntil = (path, count) => {
      const reader = new DatabaseSync(path);
      while (reader.prepare('SELECT count(*) AS stored FROM patches').get().stored < count);
      reader.close();
    };
    const holder = lockFile(file);
    const outcomes = [provider.appendPatch(patchOf(2), 2)];
    armed = 1;
    outcomes.push(provider.appendPatch(large, 3), provider.appendPatch(patchOf(4), 4));
    await setImmediate(); // it could not be posted
    outcomes.push(other.appendPatch(patchOf(2), 2));
    blockUntil(file + ' 2', 2);
    holder.close();
    blockUntil(file, 3);
    console.log(JSON.stringify(await Promise.all(outcomes.map(outcome))));
    await provider.close();
    await other.close();`,
    freshFile(),
    { env: { SDS_PERSISTENCE_WORKERS: '1' } },
  );
  expect(JSON.parse(stdout)).toEqual(['stored', expect.stringMatching(/cannot be cloned/), 'stored', 'stored']);
});

it.each([
  ['flushSync', 'console.log(provider.flushSync());', 'false'],
  ['the end of the process', 'process.exit();', ''],
])('a large write that %s waits for: it does not wait for what was never sent', async (_, ends, told) => {
  const { stdout, stderr, code } = await runProgram(
    `${failing}
    armed = 1;
    provider.appendPatch(large, 2).catch(() => {});
    ${ends}
    await provider.appendPatch(patchOf(1), 3);
    await provider.close();`,
    freshFile(),
  );
  expect({ code, told: stdout.trim() }).toEqual({ code: 0, told });
  expect(stderr).not.toContain('nothing was committed for');
});

it('the answer to a large write: the call resolves, since it is stored', async () => {
  const { stdout } = await runProgram(
    `import { Worker } from 'node:worker_threads';
    const writes = new Set();
    const { emit, postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (message, ...rest) {
      if (message?.path?.[0] === 'write') writes.add(message.id);
      return postMessage.call(this, message, ...rest);
    };
    // as Comlink tells of an answer that it can not post
    const value = { isError: true, value: { name: 'TypeError', message: 'Unserializable return value', stack: '' } };
    Worker.prototype.emit = function (event, message, ...rest) {
      const isAnswer = event === 'message' && writes.delete(message?.id);
      return emit.call(this, event, isAnswer ? { id: message.id, type: 'HANDLER', name: 'throw', value } : message, ...rest);
    };
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    const outcomes = [];
    for (let clock = 1; clock <= 6; clock++) {
      outcomes.push(await provider.appendPatch(new Uint8Array(200_000), clock).then(() => 'stored', ({ message }) => message));
    }
    const { PendingBytes } = provider.statistics().Worker;
    console.log(JSON.stringify({ outcomes, stored: (await provider.loadPatchesSince(0)).length, PendingBytes }));
    await provider.close();`,
    freshFile(),
  );
  expect(JSON.parse(stdout)).toEqual({ outcomes: Array(6).fill('stored'), stored: 6, PendingBytes: 0 });
});

it.each([
  ['that is just starting', '2', 1, 3],
  ['that others make it known to in the same turn', '1', 3, 20],
])(
  'what makes a file known to a worker %s: what is called is stored in order, and no blocked thread waits for ever',
  async (_, workers, count, rounds) => {
    const { stdout } = await runProgram(
      `${failing}
    const results = new Set();
    for (let round = 0; round < ${rounds}; round++) {
      armed = 1;
      const made = Array.from({ length: ${count} }, () => new SDS_DesktopPersistenceProvider(file + round, 'store'));
      const outcomes = [made[0].appendPatch(patchOf(1), 1), made.at(-1).appendPatch(patchOf(2), 2)].map(outcome);
      const isCommitted = made.at(-1).flushSync(20_000);
      const stored = await made[0].loadPatchesSince(0);
      results.add(JSON.stringify([await Promise.all(outcomes), isCommitted, stored.length]));
      await Promise.all(made.map((one) => one.close()));
    }
    console.log([...results].join());
    await provider.close();`,
      freshFile(),
      { env: { SDS_PERSISTENCE_WORKERS: workers } },
    );
    expect(stdout.trim()).toEqual(JSON.stringify([['stored', 'stored'], true, 2]));
  },
);

it.each([
  ['a small write', 'patchOf(2)', '', 'stored'],
  ['a small write that a blocked thread waits for', 'patchOf(2)', 'memory.flushSync(20_000);', 'stored'],
  ['a large one that could not be posted either', 'large', '', 'io-error'],
  ['such a large one, which a blocked thread waits for', 'large', 'memory.flushSync(20_000);', 'io-error'],
])(
  'what calls the worker from its event loop for %s: it is called again, and what others have there is not lost',
  async (_, patch, wait, outcomes) => {
    const { stdout } = await runProgram(
      `${failing}
    import { setTimeout } from 'node:timers/promises';
    const memory = new SDS_DesktopPersistenceProvider(':memory:', 'store');
    await memory.ready();
    takesWrites = false;
    armed = 3;
    const found = new Set();
    for (let ms = 100, clock = 1; armed > 0; ms *= 2, clock++) {
      await setTimeout(ms); // until it has returned there, and messages are needed
      const written = outcome(memory.appendPatch(${patch}, clock));
      ${wait}
      found.add((await written).split(':')[0]);
    }
    await memory.appendPatch(patchOf(3), 100);
    console.log([...found].join(), memory.statistics().Worker.Restarts);
    await memory.close();
    await provider.close();`,
      freshFile(),
      { env: { SDS_PERSISTENCE_WORKERS: '1' } },
    );
    expect(stdout).toBe(`${outcomes} 0\n`);
  },
);

it('a large write, however often it is tried: it is rejected, and so is a flush behind it', async () => {
  const { stdout } = await runProgram(
    `${failing}
    takesWrites = false;
    console.log((await Promise.all([provider.appendPatch(large, 2), provider.flush()].map(outcome))).join());
    console.log(await outcome(provider.appendPatch(patchOf(3), 3)), (await provider.loadPatchesSince(0)).length);
    await provider.close();`,
    freshFile(),
  );
  expect(stdout).toMatch(/^io-error: [^\n]*cannot be cloned[^\n]*,io-error: [^\n]*cannot be cloned[^\n]*\nstored 2\n$/);
});

it('the same behind a snapshot that fails: whoever hears of that write knows of the snapshot', async () => {
  const { stdout } = await runProgram(
    `${failing}
    import { DatabaseSync } from 'node:sqlite';
    import { setImmediate } from 'node:timers/promises';
    await provider.close();
    const saver = new SDS_DesktopPersistenceProvider(file, 'store', { Acknowledge: 'committed', BusyTimeoutMs: 60_000 });
    await saver.ready();
    const holder = new DatabaseSync(file);
    holder.exec("CREATE TRIGGER refusal BEFORE INSERT ON snapshots BEGIN SELECT RAISE(ABORT, 'on purpose'); END");
    holder.exec('BEGIN IMMEDIATE');
    takesWrites = false;
    const heard = [];
    const calls = [saver.saveSnapshot(patchOf(1), 1), saver.appendPatch(large, 2)].map((call) =>
      outcome(call).then((found) => heard.push(found)),
    );
    await setImmediate(); // it could not be posted
    holder.close();
    await Promise.all(calls);
    console.log(heard.join('\\n'));
    await saver.close();`,
    freshFile(),
  );
  expect(stdout.trim().split('\n')).toEqual([
    expect.stringContaining('on purpose'),
    expect.stringContaining('cannot be cloned'),
  ]);
});

it.each(['queued', 'committed'])(
  'a large save (%s), with a prune or a release behind it: neither deletes anything',
  async (how) => {
    const { stdout } = await runProgram(
      `${failing}
    process.removeAllListeners('warning').on('warning', () => {});
    const saver = new SDS_DesktopPersistenceProvider(file, 'store', { Acknowledge: '${how}' });
    await saver.ready();
    await saver.saveValue('hash', patchOf(1));
    takesWrites = false;
    const outcomes = await Promise.all([saver.saveSnapshot(large, 1), saver.prunePatches(2)].map(outcome));
    outcomes.push(await outcome(saver.flush()));
    outcomes.push(...await Promise.all([saver.saveValue('hash', large), saver.releaseValue('hash')].map(outcome)));
    outcomes.push(await outcome(saver.flush()));
    const patches = (await saver.loadPatchesSince(0)).length;
    console.log(JSON.stringify({ outcomes, patches, value: (await saver.loadValue('hash'))?.length }));
    await saver.close();
    await provider.close();`,
      freshFile(),
    );
    const { outcomes, ...left } = JSON.parse(stdout) as { outcomes: string[] };
    expect(left).toEqual({ patches: 1, value: patchOf(1).length });
    const failed = outcomes.filter((found) => found.startsWith('io-error'));
    // of calls that were acknowledged, the first one of each two is told by the flush
    expect(failed).toEqual([
      expect.stringMatching(/saveSnapshot/),
      ...(how === 'queued' ? [] : [expect.stringMatching(/no patch was deleted/)]),
      expect.stringMatching(/saveValue/),
      ...(how === 'queued' ? [] : [expect.stringMatching(/no reference was taken away/)]),
    ]);
  },
);
