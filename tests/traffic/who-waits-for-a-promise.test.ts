/** An acknowledgement is a promise like any other, and knows whether somebody waits for it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect, types } from 'node:util';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Acknowledgement } from '../../src/main/queue/acknowledgement.ts';
import { freshFile, patchOf } from '../support/files.ts';

function acknowledgement() {
  let told = 0;
  const made = Acknowledgement.of<void>();
  Acknowledgement.standsFor(made.promise, { waitedFor: () => told++ });
  return { ...made, told: () => told };
}

const ignore = () => {};

/** As if a program had put the promise into a class of its own. */
function withOwnConstructor(promise: Promise<void>): Promise<void> {
  return Object.defineProperty(promise, 'constructor', { value: Promise });
}

describe('somebody waits', () => {
  const ways: Record<string, (promise: Promise<void>) => unknown> = {
    await: async (promise) => await promise,
    'then with a function': (promise) => promise.then(ignore),
    finally: (promise) => promise.finally(ignore),
    'Promise.all': (promise) => Promise.all([promise]),
    'Promise.race': (promise) => Promise.race([promise]),
    'Promise.allSettled': (promise) => Promise.allSettled([promise]),
    'Promise.any': (promise) => Promise.any([promise]),
    'Promise.resolve': (promise) => Promise.resolve(promise),
    'await of what catch returns': async (promise) => await promise.catch(ignore),
    'await of what two of them return': async (promise) => await promise.catch(ignore).catch(ignore),
    'catch, where what it returns is no promise of ours': (promise) => withOwnConstructor(promise).catch(ignore),
  };
  for (const [way, wait] of Object.entries(ways)) {
    it(`who uses ${way}`, () => {
      const { promise, told } = acknowledgement();
      wait(promise);
      expect(told()).toBe(1);
    });
  }

  it('who returns it from an async function', async () => {
    const { promise, told } = acknowledgement();
    void (async () => promise)();
    await nextTurn();
    expect(told()).toBe(1);
  });
});

it('who awaits one behind another that has a constructor of its own is seen at once', () => {
  const { promise, told } = acknowledgement();
  void withOwnConstructor(acknowledgement().promise).catch(ignore);
  void (async () => await promise)();
  expect(told()).toBe(1);
});

describe('nobody waits', () => {
  const ways: Record<string, (promise: Promise<void>) => unknown> = {
    'nobody looks at it': ignore,
    'catch listens for a failure': (promise) => promise.catch(ignore),
    'then does so': (promise) => promise.then(undefined, ignore),
    'it is looked at by a debugger': (promise) => inspect(promise),
    'somebody asks what it is': (promise) => promise instanceof Promise && types.isPromise(promise),
  };
  for (const [way, look] of Object.entries(ways)) {
    it(`if ${way}`, async () => {
      const { promise, told } = acknowledgement();
      look(promise);
      await nextTurn();
      expect(told()).toBe(0);
    });
  }
});

describe('in all other respects it is a native promise:', () => {
  it('its class can not be told', () => {
    const { promise } = acknowledgement();
    expect(promise).toBeInstanceOf(Promise);
    expect(promise.constructor).toBe(Promise);
    expect(inspect(promise)).toBe('Promise { <pending> }');
    expect(Object.prototype.toString.call(promise)).toBe('[object Promise]');
    expect(Promise.resolve(promise)).toBe(promise);
    expect(Object.create(promise).constructor).toBe(Promise);
    expect(new Proxy(promise, {}).constructor).toBe(Promise);
  });

  it('an await takes as many ticks', async () => {
    const order: string[] = [];
    const ours = acknowledgement();
    const native = Promise.withResolvers<void>();
    const note = async (promise: Promise<void>, name: string) => {
      await promise;
      order.push(name);
    };
    const all = [note(ours.promise, 'ours'), note(native.promise, 'native')];
    ours.resolve();
    native.resolve();
    await Promise.all(all);
    expect(order).toEqual(['ours', 'native']);
  });

  it('what then and catch return settles as it should', async () => {
    const failure = new Error('failed');
    const failing = acknowledgement();
    const caught = failing.promise.catch((error: unknown) => error);
    const passed = failing.promise.then(ignore);
    failing.reject(failure);
    expect(await caught).toBe(failure);
    await expect(passed).rejects.toBe(failure);
    const succeeding = acknowledgement();
    const after = succeeding.promise.catch(ignore).then(() => 'after');
    succeeding.resolve();
    expect(await after).toBe('after');
  });

  it('the trace of an error names the function that awaits', async () => {
    const { promise, resolve } = acknowledgement();
    async function whoAwaits(): Promise<void> {
      await promise;
      throw new Error('later');
    }
    const failed = whoAwaits().catch((error: Error) => error.stack);
    resolve();
    expect(await failed).toContain('whoAwaits');
  });
});

it('a species of promises that fails once, and one that calls: who waits is known afterwards as before', async () => {
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
  await provider.ready();
  const native = Object.getOwnPropertyDescriptor(Promise, Symbol.species) as PropertyDescriptor;
  onTestFinished(() => void Object.defineProperty(Promise, Symbol.species, native));
  const promise = provider.appendPatch(patchOf(1), 1);
  let seen: unknown;
  const species = (get: () => unknown) => Object.defineProperty(Promise, Symbol.species, { ...native, get });
  species(() => {
    throw new Error('no species');
  });
  expect(() => promise.then(undefined, () => undefined)).toThrow('no species');
  species(() => {
    seen = provider.appendPatch(patchOf(2), 2).constructor;
    return Promise;
  });
  promise.catch(() => undefined);
  Object.defineProperty(Promise, Symbol.species, native);
  expect(seen).toBe(Promise);
  expect(provider.appendPatch(patchOf(3), 3).constructor).toBe(Promise);
  expect(await provider.loadPatchesSince(0)).toHaveLength(3);
});
