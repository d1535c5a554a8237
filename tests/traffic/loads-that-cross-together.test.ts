/** Loads that are called one after the other cross in one call; each has an answer, a failure and memory of its own all the same. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';
import { describeOnPostgresql, ownPlace, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';
import { runProgram } from '../support/programs.ts';

/** Counts the calls of loads, and may have one refused, or its answer fail, in which `isBad` is asked for. */
const watched = `
  import { Worker } from 'node:worker_threads';
  const { emit, postMessage } = Worker.prototype;
  const threads = new Set();
  const asked = [];
  let isBad = () => false;
  let failsToCross = true;
  const bad = new Set();
  Worker.prototype.postMessage = function (message, ...rest) {
    threads.add(this);
    if (message?.path?.[0] === 'load') {
      const requests = message.argumentList[1].value;
      asked.push(requests.length);
      if (requests.some(isBad)) {
        if (failsToCross) throw new DOMException('Data cannot be cloned, out of memory.', 'DataCloneError');
        bad.add(message.id);
      }
    }
    return postMessage.call(this, message, ...rest);
  };
  // as Comlink tells of an answer that it can not post
  const value = { isError: true, value: { name: 'TypeError', message: 'Unserializable return value', stack: '' } };
  Worker.prototype.emit = function (event, message, ...rest) {
    const failed = event === 'message' && bad.delete(message?.id);
    return emit.call(this, event, failed ? { id: message.id, type: 'HANDLER', name: 'throw', value } : message, ...rest);
  };
  const provider = new SDS_DesktopPersistenceProvider(file, 'store');
`;

it('the loads of a turn, between writes: they cross in few calls, and each sees what was written before it', async () => {
  const { stdout, stderr } = await runProgram(
    `${watched}
    const found = [];
    const load = (key) => found.push(provider.loadValue(key).then((value) => value && new TextDecoder().decode(value)));
    load('a');
    await provider.saveValue('a', patchOf('first'));
    asked.length = 0;
    load('a');
    load('b');
    void provider.saveValue('b', patchOf('second'));
    for (let count = 0; count < 150; count++) load(count % 2 ? 'b' : 'c');
    const texts = (await Promise.all(found)).map((text) => text ?? 'nothing');
    console.log(JSON.stringify({ asked, first: texts.slice(0, 3), later: [...new Set(texts.slice(3))] }));
    await provider.close();`,
    freshFile(),
  );
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({
    asked: [2, 64, 64, 22],
    first: ['nothing', 'patch first', 'nothing'],
    later: ['nothing', 'patch second'],
  });
});

it('a whole store that is to be merged: it crosses by itself, so that no load before it waits until it is read', async () => {
  const { stdout } = await runProgram(
    `${watched}
    await provider.saveValue('a', patchOf('first'));
    const loads = [provider.loadValue('a'), provider.loadValue('a'), provider.loadParcel(), provider.loadValue('a')];
    const [first, , parcel] = await Promise.all(loads);
    console.log(asked.join(), new TextDecoder().decode(first), parcel.patches);
    await provider.close();`,
    freshFile(),
  );
  expect(stdout).toBe('2,1,1 patch first 0\n');
});

it('values of one call: each has memory of its own, which its caller may hand over', async () => {
  const { stdout } = await runProgram(
    `${watched}
    for (const key of ['a', 'b']) await provider.saveValue(key, patchOf(key));
    const [a, b] = await Promise.all([provider.loadValue('a'), provider.loadValue('b')]);
    structuredClone(a, { transfer: [a.buffer] });
    console.log(asked.join(), a.length, new TextDecoder().decode(b), b.buffer.byteLength);
    await provider.close();`,
    freshFile(),
  );
  expect(stdout).toBe(`2 0 patch b ${patchOf('b').length}\n`);
});

it.each([
  ['that can not be posted', 'true', 'cannot be cloned'],
  ['whose answer can not be posted', 'false', 'Unserializable'],
])('a load %s: it fails alone', async (_, failsToCross, reason) => {
  const { stdout } = await runProgram(
    `${watched}
    for (const key of ['a', 'b', 'c']) await provider.saveValue(key, patchOf(key));
    isBad = (request) => request.includes('b');
    failsToCross = ${failsToCross};
    const loaded = await Promise.allSettled(['a', 'b', 'c'].map((key) => provider.loadValue(key)));
    const told = loaded.map(({ value, reason }) => reason?.message ?? new TextDecoder().decode(value));
    console.log(JSON.stringify([...told, provider.statistics().Worker.Restarts]));
    await provider.close();`,
    freshFile(),
  );
  expect(JSON.parse(stdout)).toEqual(['patch a', expect.stringContaining(reason), 'patch c', 0]);
});

it.each([
  ['that can not be posted', 'true', 'cannot be cloned'],
  ['whose answer can not be posted', 'false', 'Unserializable'],
])(
  'loads %s, behind which a blocked thread has written: they fail, and see nothing of that',
  async (_, failsToCross, reason) => {
    const { stdout } = await runProgram(
      `${watched}
    await provider.saveValue('a', patchOf('a'));
    isBad = () => asked.length === 1;
    failsToCross = ${failsToCross};
    const loads = [provider.loadValue('a'), provider.loadValue('a')];
    void provider.releaseValue('a');
    provider.flushSync();
    const loaded = await Promise.allSettled(loads);
    console.log(JSON.stringify(loaded.map(({ value, reason }) => reason?.message ?? value ?? 'nothing')));
    await provider.close();`,
      freshFile(),
    );
    expect(JSON.parse(stdout)).toEqual([expect.stringContaining(reason), expect.stringContaining(reason)]);
  },
);

it('what was found in one call is told in the order in which it was asked for', async () => {
  const { stdout } = await runProgram(
    `${watched}
    void provider.appendPatch(patchOf(1), 1);
    void provider.saveRecord('record', patchOf('record'));
    await provider.saveValue('value', patchOf('value'));
    asked.length = 0;
    const told = [];
    const loads = [
      provider.loadRecords('').then((records) => told.push(records.length + ' record')),
      provider.loadPatchesSince(0).then((patches) => told.push(patches.length + ' patch')),
      provider.loadValue('value').then(() => told.push('a value')),
      provider.loadValue('other').then((value) => told.push('no value: ' + value)),
    ];
    await Promise.all(loads);
    console.log(asked.join(), told.join(', '));
    await provider.close();`,
    freshFile(),
  );
  expect(stdout).toBe('4 1 record, 1 patch, a value, no value: undefined\n');
});

/** What one call asks for at most, and more than is read before the first ones are told. */
const large = `
  const key = (index) => 'key ' + index;
  for (let index = 0; index < 64; index++) await provider.saveValue(key(index), new Uint8Array(1_000_000).fill(index));
  asked.length = 0;
`;

it('values that take long to read: the first ones are told while the others are read', async () => {
  const { stdout } = await runProgram(
    `${watched} ${large}
    const answers = [];
    Worker.prototype.emit = function (event, message, ...rest) {
      if (event === 'message' && Array.isArray(message?.value)) answers.push(message.value.length);
      return emit.call(this, event, message, ...rest);
    };
    const values = await Promise.all(Array.from({ length: 64 }, (_, index) => provider.loadValue(key(index))));
    const told = answers.reduce((sum, count) => sum + count, 0);
    console.log(asked.join(), answers.length > 1, told, values.every((value, index) => value.length === 1_000_000 && value.at(-1) === index));
    await provider.close();`,
    freshFile(),
  );
  expect(stdout).toBe('64 true 64 true\n');
});

it('an answer that is lost: the worker does not keep what it has found behind it', async () => {
  const { stdout } = await runProgram(
    `${watched} ${large}
    failsToCross = false;
    isBad = () => asked.at(-1) === 64;
    const loadAll = () => Promise.all(Array.from({ length: 64 }, (_, index) => provider.loadValue(key(index))));
    await loadAll();
    gc();
    const before = process.memoryUsage.rss();
    for (let times = 0; times < 8; times++) await loadAll();
    gc();
    console.log(asked.filter((count) => count === 64).length, process.memoryUsage.rss() - before < 256_000_000);
    await provider.close();`,
    freshFile(),
    { flags: ['--expose-gc'] },
  );
  expect(stdout).toBe('9 true\n');
});

it('a worker that is lost when some of them are told: the others are loaded by the next one, and no write overtakes them', async () => {
  const { stdout } = await runProgram(
    `${watched} ${large}
    const ended = Promise.withResolvers();
    const loaded = Array.from({ length: 64 }, (_, index) => provider.loadValue(key(index)));
    void loaded[0].then(() => ended.resolve(Promise.all([...threads].map(endThread))));
    const written = provider.releaseValue(key(63));
    const values = await Promise.all(loaded);
    await Promise.all([written, ended.promise]);
    const { Restarts } = provider.statistics().Worker;
    console.log(values.every((value, index) => value?.length === 1_000_000 && value.at(-1) === index), Restarts);
    await provider.close();`,
    freshFile(),
  );
  expect(stdout).toBe('true 1\n');
});

it('a load that each thread ends by: those before it are loaded, once it has taken them along', async () => {
  const { stdout } = await runProgram(
    `import { Worker } from 'node:worker_threads';
    const { emit, postMessage } = Worker.prototype;
    const calls = [];
    /** Those that a thread has not answered yet, and that it is to end behind. */
    const before = new Map();
    const end = (thread) => before.get(thread)?.size === 0 && void thread.terminate();
    let isOver = false;
    const unanswered = new Map();
    Worker.prototype.postMessage = function (message, ...rest) {
      if (message?.path?.[0] !== 'load' || isOver) return postMessage.call(this, message, ...rest);
      const keys = message.argumentList[1].value.map((request) => request[3]);
      calls.push(keys.join(''));
      if (before.has(this)) return;
      const asked = unanswered.get(this) ?? new Set();
      unanswered.set(this, asked);
      if (keys.includes('b')) {
        before.set(this, asked);
        end(this);
        return;
      }
      asked.add(message.id);
      postMessage.call(this, message, ...rest);
    };
    Worker.prototype.emit = function (event, message, ...rest) {
      const result = emit.call(this, event, message, ...rest);
      if (event === 'message' && unanswered.get(this)?.delete(message?.id)) end(this);
      return result;
    };
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    for (const key of ['a', 'b', 'c']) await provider.saveValue(key, patchOf(key));
    const loaded = await stayFor(Promise.allSettled(['a', 'b', 'c'].map((key) => provider.loadValue(key))));
    isOver = true;
    console.log(calls.slice(0, 4).join(), loaded.map(({ value, reason }) => reason?.code ?? new TextDecoder().decode(value)).join());
    await provider.close();`,
    freshFile(),
  );
  expect(stdout).toBe('abc,a,b,c patch a,worker-lost,worker-lost\n');
});

describeOnPostgresql('loads that cross together', () => {
  it('in several calls: all are told in the order in which they were asked for', async () => {
    const provider = new SDS_DesktopPersistenceProvider(await ownPlace(), 'store');
    onTestFinished(() => provider.close());
    await provider.saveValue('value', patchOf('value'));
    const told: number[] = [];
    const count = 1000;
    await Promise.all(
      Array.from({ length: count }, (_, index) => provider.loadValue('value').then(() => told.push(index))),
    );
    expect(told).toEqual(Array.from({ length: count }, (_, index) => index));
  });

  it('with one of them behind a locked table: those before it are told at once, those behind it when it is free', async () => {
    const url = await ownPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { BusyTimeoutMs: 60_000 });
    onTestFinished(() => provider.close());
    await provider.saveValue('value', patchOf('value'));
    await provider.appendPatch(patchOf(1), 1);
    const other = await server.connect(databaseOf(url));
    onTestFinished(() => other.end());
    await other.query('BEGIN; LOCK TABLE sds_patches IN ACCESS EXCLUSIVE MODE');
    const before = [provider.loadValue('value'), provider.loadSnapshot()];
    const locked = provider.loadPatchesSince(0);
    const behind = provider.loadValue('value');
    expect(await Promise.all(before)).toEqual([patchOf('value'), undefined]);
    await expect.poll(() => server.waitingForLock(databaseOf(url))).toHaveLength(1);
    await other.query('ROLLBACK');
    expect(await Promise.all([locked, behind])).toEqual([[patchOf(1)], patchOf('value')]);
  });
});
