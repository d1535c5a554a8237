/** Every kind of value that JavaScript has, as every argument of every method and as every option. */
import { runInNewContext } from 'node:vm';
import { SDS_DesktopPersistenceProvider, SDS_PersistenceError } from 'sds-persistence-worker';
import type { Engine } from '../tests/support/engine.ts';
import { linesOf } from '../tests/support/rows.ts';
import { onFiles } from './engines.ts';
import { type RigContext, within } from './rig.ts';

class OwnBuffer extends Buffer {}
class Throwing extends Uint8Array {
  override get byteLength(): number {
    throw new Error('a getter that throws');
  }
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function detached(): Uint8Array {
  const bytes = new Uint8Array([1, 2, 3]);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

function outOfBounds(): Uint8Array {
  const buffer = new ArrayBuffer(16, { maxByteLength: 32 });
  const view = new Uint8Array(buffer, 8, 8);
  buffer.resize(4);
  return view;
}

/** Values that are nothing in particular; each use takes away those that it accepts. */
/** Whatever it says of itself. */
function mayGrow(): Uint8Array {
  const buffer = new SharedArrayBuffer(8, { maxByteLength: 16 });
  return new Uint8Array(Object.defineProperty(buffer, 'growable', { value: false }));
}

const oddValues: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  'an empty string': () => '',
  'a string': () => 'text',
  'a long string': () => 'x'.repeat(100_000),
  0: () => 0,
  '-1': () => -1,
  'a fraction': () => 0.5,
  NaN: () => Number.NaN,
  infinity: () => Number.POSITIVE_INFINITY,
  '2^53': () => 2 ** 53,
  'a bigint': () => 1n,
  'a symbol': () => Symbol('odd'),
  'a function': () => () => 1,
  'a class': () => class {},
  'an object': () => ({}),
  'an object without prototype': () => Object.create(null),
  'an array': () => [1, 2, 3],
  'a date': () => new Date(0),
  'a regular expression': () => /x/,
  'an error': () => new Error('odd'),
  'a map': () => new Map(),
  'a promise': () => Promise.resolve(new Uint8Array(1)),
  'a String object': () => new String('text'),
  'a Number object': () => new Number(1),
  'an ArrayBuffer': () => new ArrayBuffer(8),
  'a SharedArrayBuffer': () => new SharedArrayBuffer(8),
  'a DataView': () => new DataView(new ArrayBuffer(8)),
  'a Float64Array': () => new Float64Array(2),
  'an Int8Array': () => new Int8Array(2),
  'a Uint8ClampedArray': () => new Uint8ClampedArray(2),
  'a detached Uint8Array': detached,
  'a Uint8Array out of bounds': outOfBounds,
  'a view of shared memory that may grow': mayGrow,
  'an object with the prototype of Uint8Array': () => Object.create(Uint8Array.prototype),
  'a proxy of a Uint8Array': () => new Proxy(new Uint8Array(3), {}),
  'a revoked proxy': revoked,
  'a proxy that throws': () => new Proxy({}, { get: thrower, getPrototypeOf: thrower, ownKeys: thrower }),
  'an object that throws when named': () => ({
    get [Symbol.toStringTag]() {
      return thrower();
    },
    toString: thrower,
    valueOf: thrower,
    toJSON: thrower,
  }),
};

function thrower(): never {
  throw new Error('a trap that throws');
}

/** Views of bytes that must be accepted, and stored as they are. */
const goodBytes: Record<string, () => Uint8Array> = {
  'an empty Uint8Array': () => new Uint8Array(0),
  'a Buffer': () => Buffer.from('pooled'),
  'a subclass of Buffer': () => Object.setPrototypeOf(Buffer.from('own'), OwnBuffer.prototype) as Buffer,
  'a subarray': () => new Uint8Array([1, 2, 3, 4]).subarray(1, 3),
  'a Uint8Array of another realm': () => runInNewContext('new Uint8Array([7, 8, 9])') as Uint8Array,
  'a view of shared memory': () => new Uint8Array(new SharedArrayBuffer(5)).fill(5),
  'a view of resizable memory': () => new Uint8Array(new ArrayBuffer(6, { maxByteLength: 60 })).fill(6),
  'a view of WebAssembly memory': () => new Uint8Array(wasmMemory(), 3, 9).fill(9),
  'a frozen prototype': () => Object.setPrototypeOf(new Uint8Array([4, 4]), null) as Uint8Array,
  'with own properties': () => Object.defineProperty(new Uint8Array(4000).fill(3), 'byteLength', { value: 5 }),
  'with a getter that throws': () => Object.setPrototypeOf(new Uint8Array([1, 1, 1]), Throwing.prototype) as Uint8Array,
};

function wasmMemory(): ArrayBuffer {
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Memory: new (options: { initial: number }) => { buffer: ArrayBuffer } };
  };
  return new WebAssembly.Memory({ initial: 1 }).buffer;
}

type Method = Exclude<
  keyof SDS_DesktopPersistenceProvider,
  'ClockCollisions' | 'flushSync' | typeof Symbol.asyncDispose
>;

const good = new Uint8Array([1]);
const emptyStore = { SnapshotClock: undefined, Patches: [], LastClock: 0 };
/** A method, good arguments for it, which of them is replaced, and odd values that are good there. */
const uses: readonly [Method, unknown[], number, string[]][] = [
  ['appendPatch', [good, 1], 0, []],
  ['appendPatch', [good, 1], 1, ['0', '-1']],
  ['saveSnapshot', [good, 1], 0, []],
  ['saveSnapshot', [good, 1], 1, ['0', '-1', 'undefined']],
  ['loadPatchesSince', [0], 0, ['0', '-1']],
  ['prunePatches', [0], 0, ['0', '-1']],
  ['saveValue', ['hash', good], 0, ['an empty string', 'a string']],
  ['saveValue', ['hash', good], 1, []],
  ['loadValue', ['hash'], 0, ['an empty string', 'a string']],
  ['releaseValue', ['hash'], 0, ['an empty string', 'a string']],
  ['compactStore', [good, emptyStore], 0, []],
  ['compactStore', [good, emptyStore], 1, []],
  ['saveRecord', ['key', good], 0, ['an empty string', 'a string']],
  ['saveRecord', ['key', good], 1, []],
  ['loadRecord', ['key'], 0, ['an empty string', 'a string']],
  ['loadRecords', ['key'], 0, ['an empty string', 'a string', 'undefined']],
  ['removeRecord', ['key'], 0, ['an empty string', 'a string']],
  ['removeRecords', ['key'], 0, ['an empty string', 'a string']],
];

const options: Record<string, string[]> = {
  Durability: [],
  BusyTimeoutMs: ['0'],
  TransferSnapshots: ['true'],
  MaxPendingBytes: [],
  Overflow: [],
  OnClockCollision: [],
  VerifyValues: ['true'],
  Ownership: [],
  LeaseMs: [],
  CreateTables: ['true'],
  ConnectTimeoutMs: [],
  RetryForMs: ['0'],
};

export async function runOn(engine: Engine, { report }: RigContext): Promise<void> {
  const dbPath = await engine.freshPlace();
  const provider = new SDS_DesktopPersistenceProvider(dbPath, 'store');
  await provider.ready();
  for (const [method, args, place, accepted] of uses) {
    for (const [name, make] of Object.entries(oddValues)) {
      if (!accepted.includes(name)) await refuses(provider, method, args.with(place, make()), name);
    }
  }
  for (const [name, make] of Object.entries(oddValues)) {
    if (!['undefined', '0', 'a fraction', '2^53', 'infinity'].includes(name))
      throwsInvalid(`flushSync(${name})`, () => provider.flushSync(make() as number));
  }
  await provider.flush();
  const rows = linesOf(await engine.rowsOf(dbPath));
  if (rows.length > 0) report.violation(`bad input stored ${rows.length} rows`);
  await accepts(provider);
  await provider.close();
  constructs(dbPath);

  async function refuses(provider: SDS_DesktopPersistenceProvider, method: Method, args: unknown[], name: string) {
    report.count('bad arguments');
    const what = `${method} with ${name}`;
    let promise: unknown;
    try {
      promise = (provider[method] as (...args: unknown[]) => unknown)(...args);
    } catch (error) {
      return report.violation(`${what} threw at the call: ${String(error)}`);
    }
    try {
      await within(60_000, what, promise as Promise<unknown>);
      report.violation(`${what} was accepted`);
    } catch (error) {
      if (!isInvalid(error)) report.violation(`${what} rejected with ${String(error)}`);
    }
  }

  function throwsInvalid(what: string, call: () => unknown): void {
    report.count('bad arguments');
    try {
      call();
      report.violation(`${what} was accepted`);
    } catch (error) {
      if (!isInvalid(error)) report.violation(`${what} threw ${String(error)}`);
    }
  }

  async function accepts(provider: SDS_DesktopPersistenceProvider): Promise<void> {
    let clock = 0;
    for (const [name, make] of Object.entries(goodBytes)) {
      report.count('unusual but good byte arguments');
      const bytes = make();
      const wanted = Buffer.from(Uint8Array.prototype.slice.call(bytes)).toString('hex');
      try {
        clock++;
        await provider.appendPatch(bytes, clock);
        await provider.saveValue(name, bytes);
        await provider.saveSnapshot(bytes);
        await provider.saveRecord(name, bytes);
        const found = [
          await provider.loadRecord(name),
          (await provider.loadPatchesSince(clock - 1))[0],
          await provider.loadValue(name),
          await provider.loadSnapshot(),
        ];
        for (const each of found)
          if (Buffer.from(each ?? []).toString('hex') !== wanted) report.violation(`${name}: other bytes came back`);
      } catch (error) {
        report.violation(`${name} was refused: ${String(error)}`);
      }
    }
  }

  function constructs(dbPath: string): void {
    const construct = (...args: unknown[]) =>
      new (SDS_DesktopPersistenceProvider as unknown as new (...args: unknown[]) => SDS_DesktopPersistenceProvider)(
        ...args,
      );
    for (const [name, make] of Object.entries(oddValues)) {
      if (!name.includes('string')) throwsInvalid(`DbPath ${name}`, () => construct(make(), 'store'));
      if (!name.endsWith(' string')) throwsInvalid(`StoreId ${name}`, () => construct(dbPath, make()));
      const harmless = ['undefined', 'an object', 'an object without prototype'].includes(name);
      if (
        !harmless &&
        !/^an? (date|regular|error|map|promise|.*(Array|View|Buffer|object|Uint8).*|object that)/.test(name)
      ) {
        throwsInvalid(`Options ${name}`, () => construct(dbPath, 'store', make()));
      }
      for (const [option, accepted] of Object.entries(options)) {
        if (name === 'undefined' || accepted.includes(name)) continue;
        throwsInvalid(`${option}: ${name}`, () => construct(dbPath, 'store', { [option]: make() }));
      }
    }
    throwsInvalid('an unknown option', () => construct(dbPath, 'store', { Durabilty: 'full' }));
    throwsInvalid('an option whose getter throws', () =>
      construct(dbPath, 'store', {
        get Durability() {
          return thrower();
        },
      }),
    );
  }
}

export const run = onFiles(runOn);

function isInvalid(error: unknown): boolean {
  return error instanceof SDS_PersistenceError && error.code === 'invalid-argument' && error.name === 'SDS_Error';
}
