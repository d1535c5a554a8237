/** Options, lists, signals and bytes may be of anybody's making: each is read once, at the call, and what runs then changes nothing. */
import { join } from 'node:path';
import {
  backupDatabase,
  compactDatabase,
  copyStores,
  describeDatabase,
  restoreDatabase,
  type SDS_BackupOptions,
  SDS_DesktopPersistenceProvider,
  transfer,
  verifyDatabase,
} from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { freshFile, freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/** A file with one store, `store`, that nobody has open. */
async function madeFile(): Promise<string> {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.appendPatch(patchOf(1), 1);
  return file;
}

/** The same options from getters, which have each value once, and something else after that. */
function onceOnly<T extends object>(options: T): { options: T; reads: Record<string, number> } {
  const reads: Record<string, number> = {};
  const once = Object.fromEntries(Object.keys(options).map((name) => [name, undefined]));
  for (const [name, value] of Object.entries(options)) {
    Object.defineProperty(once, name, {
      enumerable: true,
      get() {
        reads[name] = (reads[name] ?? 0) + 1;
        if (reads[name] > 1) throw new Error(`${name} is read again`);
        return value;
      },
    });
  }
  return { options: once as T, reads };
}

/** Uncaught errors while a test runs, which are of no harm to it. */
function uncaught(): string[] {
  const messages: string[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', ({ message }) => messages.push(message));
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
  });
  return messages;
}

const everywhere = { OnProgress: () => undefined, Signal: new AbortController().signal };

it.each([
  [
    'backupDatabase',
    (file: string, other: string, options: object) => backupDatabase(file, other, options),
    { Overwrite: true },
  ],
  [
    'restoreDatabase',
    (file: string, other: string, options: object) => restoreDatabase(file, other, options),
    { Verify: true, Overwrite: true },
  ],
  ['verifyDatabase', (file: string, _: string, options: object) => verifyDatabase(file, options), {}],
  ['compactDatabase', (file: string, _: string, options: object) => compactDatabase(file, options), {}],
  ['describeDatabase', (file: string, _: string, options: object) => describeDatabase(file, options), { Quick: false }],
  [
    'copyStores',
    (file: string, other: string, options: object) => copyStores(file, other, options),
    { Stores: ['store'], Values: true, Overwrite: false, Salvage: false },
  ],
] as const)('%s reads each option once', async (_, call, own) => {
  const file = await madeFile();
  const { options, reads } = onceOnly({ ...everywhere, ...own });
  await call(file, join(freshFolder(), 'other.db'), options);
  expect(reads).toEqual(Object.fromEntries(Object.keys(options).map((name) => [name, 1])));
});

it('options that can not be read are an invalid argument', async () => {
  const file = await madeFile();
  const options = {
    get Quick(): boolean {
      throw new Error('not today');
    },
  };
  const refused = { code: 'invalid-argument', message: expect.stringContaining('can not be read: Error: not today') };
  await expect(describeDatabase(file, options)).rejects.toMatchObject(refused);
});

it('a provider reads what its backup is given at the call, whatever becomes of it until all is flushed', async () => {
  const file = await madeFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  const target = join(freshFolder(), 'backup.db');
  await provider.backup(target);
  void provider.saveValue('large', new Uint8Array(300_000));
  const options: SDS_BackupOptions = { Overwrite: true };
  const backup = provider.backup(target, options);
  options.Overwrite = false;
  Object.assign(options, { Overwrote: 'all' });
  await backup;
  expect(rowsOf(target).blobs).toHaveLength(1);
});

it('a list of stores, and one of sources, whose elements are getters', async () => {
  const file = await madeFile();
  let reads = 0;
  const Stores: string[] = [];
  Object.defineProperty(Stores, 0, {
    enumerable: true,
    get: () => (++reads === 1 ? 'store' : expect.unreachable()),
  });
  const target = join(freshFolder(), 'copy.db');
  expect(await copyStores(file, target, { Stores })).toMatchObject({ Stores: 1, Patches: 1 });
  // a proxy can't be sent to another thread
  const again = copyStores(new Proxy([file], {}), target, { Stores: new Proxy(['store'], {}), Overwrite: true });
  expect(await again).toMatchObject({ Stores: 1, Patches: 1 });
});

it('a signal that has no listeners to take away, and one whose reason throws: the operation has its result', async () => {
  const file = await madeFile();
  const errors = uncaught();
  let abort = () => {};
  const signal = {
    aborted: false,
    get reason(): unknown {
      throw new Error('no reason');
    },
    addEventListener(_: 'abort', listener: () => void) {
      abort = listener;
    },
    removeEventListener() {
      throw new Error('no such listener');
    },
  };
  expect((await describeDatabase(file, { Signal: signal })).Stores).toHaveLength(1);
  const stopped = backupDatabase(file, join(freshFolder(), 'backup.db'), { Signal: signal });
  abort();
  await expect(stopped).rejects.toThrow('no reason');
  expect((await describeDatabase(file)).Stores).toHaveLength(1);
  // as with subscribers, what it throws is not swallowed
  await expect.poll(() => errors).toEqual(['no such listener', 'no such listener']);
});

it('a signal that keeps its listeners, and stops what has ended: what its thread does next goes on', async () => {
  const file = await madeFile();
  let abort = () => {};
  const signal = {
    aborted: false,
    reason: 'too late',
    addEventListener(_: 'abort', listener: () => void) {
      abort = listener;
    },
    removeEventListener() {},
  };
  expect((await describeDatabase(file, { Signal: signal })).Stores).toHaveLength(1);
  const next = describeDatabase(file);
  abort();
  expect((await next).Stores).toHaveLength(1);
});

it('a signal that stops, or throws, as soon as it is listened to: nothing is left, and the process ends', async () => {
  const program = `import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { backupDatabase } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
const provider = new SDS_DesktopPersistenceProvider(file, 'store');
await provider.appendPatch(patchOf(1), 1);
await provider.close();
const removeEventListener = () => {};
const listens = (addEventListener) => ({ aborted: false, reason: 'stopped', addEventListener, removeEventListener });
const said = (promise) => promise.then(() => 'done', (reason) => reason.message ?? reason);
console.log(await said(backupDatabase(file, file + '.saved', { Signal: listens((_, stop) => stop()) })));
console.log(await said(backupDatabase(file, file + '.saved', { Signal: listens(() => { throw new Error('no listeners'); }) })));
console.log(readdirSync(dirname(file)).join());`;
  const ended = await runProgram(program, freshFile());
  expect(ended).toMatchObject({ code: 0, stdout: 'stopped\nno listeners\nstore.db\n', stderr: '' });
});

it('a list given to transfer, and properties put on bytes and buffers, do not run within the call', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  for (const [clock, length] of [20_000, 300_000].entries()) {
    const bytes = new Uint8Array(length).fill(1);
    const { buffer } = bytes;
    let inCall = false;
    const foreign = () => {
      if (inCall) bytes.fill(2);
      return buffer;
    };
    const list = Object.defineProperty([] as unknown[], 0, { enumerable: true, get: foreign });
    transfer(bytes, list);
    for (const name of ['buffer', 'byteLength', 'length', 'byteOffset', 'constructor']) {
      Object.defineProperty(bytes, name, { configurable: true, get: foreign });
    }
    Object.defineProperty(buffer, 'transferToFixedLength', {
      value() {
        foreign();
        return new ArrayBuffer(length);
      },
    });
    inCall = true;
    await provider.appendPatch(bytes, clock);
    expect(buffer.detached).toBe(true);
  }
  const patches = await provider.loadPatchesSince(-1);
  expect(patches.map((patch) => patch.byteLength)).toEqual([20_000, 300_000]);
  expect(patches.every((patch) => patch.every((byte) => byte === 1))).toBe(true);
});

it('compactStore reads each property of the contents once, before it looks at the bytes', async () => {
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
  await provider.saveSnapshot(patchOf('before'), 3);
  await provider.appendPatch(patchOf(4), 4);
  const { SnapshotClock, Patches, LastClock } = await provider.loadStore();
  const { options: contents, reads } = onceOnly({ SnapshotClock, Patches, LastClock });
  expect(await provider.compactStore(patchOf('compacted'), contents)).toBe(true);
  expect(reads).toEqual({ SnapshotClock: 1, Patches: 1, LastClock: 1 });
  const bytes = new Uint8Array(10_000).fill(1);
  const taking = {
    ...(await provider.loadStore()),
    get LastClock() {
      structuredClone(bytes, { transfer: [bytes.buffer] });
      return 4;
    },
  };
  await expect(provider.compactStore(bytes, taking)).rejects.toMatchObject({ code: 'invalid-argument' });
  expect(await provider.loadSnapshot()).toEqual(patchOf('compacted'));
});

it('contents that can not be read, or are none, make compactStore reject and change nothing', async () => {
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
  await provider.appendPatch(patchOf(1), 1);
  const { proxy: revoked, revoke } = Proxy.revocable([], {});
  revoke();
  const contents = await provider.loadStore();
  const odd: Record<string, unknown> = {
    'a getter that throws': Object.defineProperty({ ...contents }, 'Patches', {
      get() {
        throw new Error('no patches');
      },
    }),
    'a revoked proxy for patches': { ...contents, Patches: revoked },
    'patches whose length is no number': {
      ...contents,
      Patches: new Proxy([], { get: (_, name) => (name === 'length' ? '1' : undefined) }),
    },
    'patches of bytes, not a list of them': { ...contents, Patches: new Uint8Array(1) },
    'the number of no snapshot as null': { ...contents, SnapshotClock: null },
    'a number that is none': { ...contents, LastClock: Number.NaN },
    'no number': { Patches: contents.Patches },
    nothing: undefined,
    'a number in their place': 1,
  };
  for (const [what, given] of Object.entries(odd)) {
    let outcome: Promise<boolean> | undefined;
    expect(() => {
      outcome = provider.compactStore(patchOf('compacted'), given as typeof contents);
      outcome.catch(() => 'looked at below');
    }, what).not.toThrow();
    await expect(outcome, what).rejects.toMatchObject({ code: 'invalid-argument' });
  }
  expect(await provider.loadStore()).toEqual(contents);
});
