/** Calls that are refused for want of room wait for it, whatever else becomes of what fails: nothing rejects, and nobody is told. */
import { randomBytes } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { Repo } from '@automerge/automerge-repo';
import { AutomergeRepoStorage, type AutomergeRepoStorageOptions } from 'sds-persistence-worker/automerge-repo';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql, proxiedPlace } from '../support/postgresql.ts';
import { runRepoProgram } from './automerge-programs.ts';

const MIB = 1024 * 1024;
const large = (fillWith: number, length = MIB) => new Uint8Array(length).fill(fillWith);
/** What tells large chunks apart: their difference, element by element, would take minutes. */
const printOf = (data: Uint8Array | undefined) => [data?.length, data?.[0], data?.at(-1)];
const thirty = Array.from({ length: 30 }, (_, i) => i);

interface Held {
  file: string;
  storage: AutomergeRepoStorage;
  told: string[];
  letGo: () => void;
}

/** A storage with little room, whose file another connection has locked, so that calls wait. */
async function heldStorage(repeats: boolean, options: AutomergeRepoStorageOptions = {}): Promise<Held> {
  const file = freshFile();
  const told: string[] = [];
  const onError = repeats ? { onError: ({ code }: { code: string }) => void told.push(code) } : {};
  const storage = new AutomergeRepoStorage(file, {
    overflow: 'reject',
    maxPendingBytes: 4 * MIB,
    busyTimeoutMs: 60_000,
    ...onError,
    ...options,
  });
  await storage.save(['before'], patchOf('before'));
  const other = new DatabaseSync(file);
  onTestFinished(async () => {
    if (other.isOpen) other.close();
    await storage.close();
  });
  other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  return { file, storage, told, letGo: () => other.close() };
}

async function storedIn(file: string): Promise<Map<string, unknown>> {
  await using again = new AutomergeRepoStorage(file);
  return new Map((await again.loadRange([])).map(({ key, data }) => [key.join(), printOf(data)]));
}

const before: [string, unknown] = ['before', printOf(patchOf('before'))];
const largeOnes = (numbers: number[]) => numbers.map((i): [string, unknown] => [`${i}`, printOf(large(i))]);
const allThirty = new Map([before, ...largeOnes(thirty)]);

/** What becomes of calls. */
function outcomesOf(calls: Promise<void>[]): Promise<string[]> {
  return Promise.all(
    calls.map((call) =>
      call.then(
        () => 'stored',
        ({ code }: { code: string }) => code,
      ),
    ),
  );
}

describe.each([
  ['without onError', false],
  ['with onError', true],
])('%s', (_, repeats) => {
  it('seven times as much as may be pending is stored, as it was at the calls', async () => {
    const { file, storage, told, letGo } = await heldStorage(repeats);
    const bytes = new Uint8Array(MIB);
    const saves = thirty.map((i) => storage.save([`${i}`], bytes.fill(i)));
    bytes.fill(255);
    await setImmediate();
    letGo();
    await Promise.all(saves);
    expect(told).toEqual([]);
    expect(await storedIn(file)).toEqual(allThirty);
  });

  it('calls take effect in their order, also where one was refused and those behind it were not', async () => {
    const { file, storage, told, letGo } = await heldStorage(repeats);
    const calls = [
      storage.save(['a'], large(1, 3 * MIB)),
      storage.save(['b'], large(2, 3 * MIB)), // there is no room for it
      storage.remove(['b']),
      storage.save(['c'], large(3, 5 * MIB)), // it may only be alone
      storage.save(['c'], patchOf('small')),
      storage.save(['gone', 'a'], large(4, 3 * MIB)),
      storage.removeRange(['gone']),
      ...thirty.map((i) => storage.save([`${i}`], patchOf(i))),
    ];
    await setImmediate();
    calls.push(storage.save(['gone', 'b'], patchOf('later')), storage.remove(['before']));
    letGo();
    await Promise.all(calls);
    expect(told).toEqual([]);
    const wanted: [string, unknown][] = [
      ['a', printOf(large(1, 3 * MIB))],
      ['c', printOf(patchOf('small'))],
      ...thirty.map((i): [string, unknown] => [`${i}`, printOf(patchOf(i))]),
      ['gone,b', printOf(patchOf('later'))],
    ];
    expect(await storedIn(file)).toEqual(new Map(wanted));
  });

  it.each([
    ['within the turn of the calls', async () => undefined],
    ['while they wait for room', () => setImmediate()],
  ])('close(), %s, waits until all is stored', async (_, moment) => {
    const { file, storage, told, letGo } = await heldStorage(repeats);
    const saves = thirty.map((i) => storage.save([`${i}`], large(i)));
    await moment();
    const closed = storage.close();
    letGo();
    await closed;
    expect(await outcomesOf(saves)).toEqual(thirty.map(() => 'stored'));
    expect(told).toEqual([]);
    expect(await storedIn(file)).toEqual(allThirty);
  });

  it('close() of a file that stays locked ends, and rejects what waited for room with that reason', async () => {
    const { storage } = await heldStorage(repeats, { busyTimeoutMs: 10 });
    const saves = outcomesOf(thirty.map((i) => storage.save([`${i}`], large(i))));
    await setImmediate();
    await storage.close();
    expect(await saves).toEqual(thirty.map(() => 'database-busy'));
  });

  const opened = `const storage = new AutomergeRepoStorage(place, {
        overflow: 'reject',
        maxPendingBytes: 4 * 1024 * 1024,
        ${repeats ? 'onError: ({ code }) => console.log(code),' : ''}
      });
      await storage.save(['before'], patchOf('before'));`;

  it('a program that does not wait for its calls lives until all of them are stored', async () => {
    const file = freshFile();
    const program = `${opened}
      for (let i = 0; i < 30; i++) void storage.save([String(i)], new Uint8Array(1024 * 1024).fill(i));`;
    expect(await runRepoProgram(program, file)).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await storedIn(file)).toEqual(allThirty);
  });

  it('what is called behind one that waits for room does not overtake it: at an exit, none of them is stored', async () => {
    const file = freshFile();
    const program = `${opened}
      void storage.save(['0'], new Uint8Array(4 * 1024 * 1024));
      void storage.save(['1'], new Uint8Array(1024 * 1024).fill(1)); // there is no room for it
      void storage.remove(['before']);
      process.exit();`;
    expect(await runRepoProgram(program, file)).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await storedIn(file)).toEqual(new Map([before, ['0', printOf(large(0, 4 * MIB))]]));
  });

  it('room that another file of the same worker has taken is waited for, while nothing of this one is under way', async () => {
    const file = freshFile();
    const program = `const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
      const options = { overflow: 'reject', maxPendingBytes: 4 * 1024 * 1024, busyTimeoutMs: 60_000${repeats ? ', onError: console.log' : ''} };
      const [storage, other] = [new AutomergeRepoStorage(place, options), new AutomergeRepoStorage(place + '2', options)];
      await Promise.all([storage, other].map((one) => one.save(['before'], patchOf('before'))));
      const lock = new DatabaseSync(place + '2');
      lock.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
      const filling = other.save(['large'], new Uint8Array(4 * 1024 * 1024));
      const saves = Array.from({ length: 30 }, (_, i) => storage.save([String(i)], new Uint8Array(1024 * 1024).fill(i)));
      console.log(await storage.load(['0']));
      lock.close();
      await Promise.all([filling, ...saves]);
      console.log('stored');`;
    const ended = await runRepoProgram(program, file, { env: { SDS_PERSISTENCE_WORKERS: '1' } });
    expect(ended).toMatchObject({ code: 0, stdout: 'undefined\nstored\n', stderr: '' });
    expect(await storedIn(file)).toEqual(allThirty);
  });
});

it('without onError what fails for another reason rejects at once, and what waited behind it is stored', async () => {
  const { file, storage, letGo } = await heldStorage(false, { busyTimeoutMs: 10 });
  const saves = thirty.map((i) => storage.save([`${i}`], large(i)));
  await expect(saves[0]).rejects.toMatchObject({ code: 'database-busy' });
  letGo();
  const outcomes = await outcomesOf(saves);
  expect(new Set(outcomes)).toEqual(new Set(['database-busy', 'stored']));
  const stored = thirty.filter((i) => outcomes[i] === 'stored');
  expect(await storedIn(file)).toEqual(new Map([before, ...largeOnes(stored)]));
});

it('with onError a failure is told of once, also behind a refusal for want of room', async () => {
  const { file, storage, told, letGo } = await heldStorage(true, { busyTimeoutMs: 10 });
  const saves = thirty.map((i) => storage.save([`${i}`], large(i)));
  await expect.poll(() => told).toEqual(['database-busy']);
  letGo();
  await Promise.all(saves);
  expect(told).toEqual(['database-busy']);
  expect(await storedIn(file)).toEqual(allThirty);
});

describeOnPostgresql('on a server, which refuses calls by default', () => {
  it.each([
    ['without onError', false],
    ['with onError', true],
  ])('a repo, %s, stores more at once than may be pending', async (_, repeats) => {
    const place = await postgresql.freshPlace();
    const told: string[] = [];
    const onError = repeats ? { onError: ({ code }: { code: string }) => void told.push(code) } : {};
    const storage = new AutomergeRepoStorage(place, { maxPendingBytes: 4 * MIB, ...onError });
    const repo = new Repo({ storage });
    // Automerge compresses what can be
    const handles = thirty.slice(0, 6).map(() => repo.create({ bytes: new Uint8Array(randomBytes(MIB)) }));
    await repo.flush();
    await storage.close();
    expect(told).toEqual([]);
    await using again = new AutomergeRepoStorage(place);
    for (const { documentId } of handles) expect(await again.loadRange([documentId])).toHaveLength(1);
  });

  it.each([
    ['without onError all rejects', false],
    ['with onError close() rejects all', true],
  ])('while the server is away, %s with that reason', async (_, repeats) => {
    const { proxy, url } = await proxiedPlace();
    const told: string[] = [];
    const onError = repeats ? { onError: ({ code }: { code: string }) => void told.push(code) } : {};
    const storage = new AutomergeRepoStorage(url, { maxPendingBytes: 4 * MIB, retryForMs: 500, ...onError });
    await storage.save(['before'], patchOf('before'));
    proxy.refuse();
    proxy.cutNow();
    const saves = outcomesOf(thirty.slice(0, 10).map((i) => storage.save([`${i}`], large(i))));
    if (repeats) {
      await expect.poll(() => told).toEqual(['connection-failed']);
      await storage.close();
    }
    expect(await saves).toEqual(Array(10).fill('connection-failed'));
    await storage.close();
  });
});

it.each([
  ['as one is refused', 'asyncEnd', 1],
  ['as those that were refused are carried out', 'start', 3],
])(
  'a subscriber saves a chunk %s: it is stored behind those that were called before',
  async (_, event, callsBefore) => {
    const file = freshFile();
    const storage = new AutomergeRepoStorage(file, { overflow: 'reject', maxPendingBytes: MIB });
    onTestFinished(() => storage.close());
    await storage.save(['before'], patchOf('before'));
    let isArmed = false;
    let last: Promise<void> | undefined;
    const save = () => {
      if (isArmed) last ??= storage.save(['chunk'], patchOf('last'));
    };
    const channel = `tracing:sds-persistence:commit:${event}`;
    subscribe(channel, save);
    onTestFinished(() => void unsubscribe(channel, save));
    const other = new DatabaseSync(file);
    onTestFinished(() => other.close());
    const records = other.prepare('SELECT count(*) AS stored FROM sds_records');
    const saved = [storage.save(['small'], patchOf('small'))];
    while (records.get()?.stored !== 2); // committed, which nobody has heard of
    other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
    saved.push(storage.save(['a'], large(0)));
    isArmed = callsBefore === 1;
    for (let i = 1; i <= callsBefore; i++) saved.push(storage.save(['chunk'], large(i)));
    isArmed = true;
    other.exec('COMMIT');
    await Promise.all(saved);
    await last;
    expect(printOf(await storage.load(['chunk']))).toEqual(printOf(patchOf('last')));
  },
);
