/** A program has put clocks, timers or promises of its own in the place of Node's: every call settles, with its own answer. */
import { describe, expect, it } from 'vitest';
import { expected, type Replacement, resolve, tour } from './a-tour.ts';

const require = (name: string) => `require(${JSON.stringify(resolve(name))})`;
const timers = ['setTimeout', 'setInterval', 'setImmediate'];
const globals = [
  ...timers,
  ...['clearTimeout', 'clearInterval', 'clearImmediate', 'queueMicrotask', 'Promise', 'performance', 'Date'],
  ...['Buffer', 'structuredClone', 'MessageChannel', 'AbortController', 'EventTarget'],
];

const replacements: Record<string, Replacement> = {
  'fake timers, those of sinon and Jest': {
    replace: `const clock = ${require('@sinonjs/fake-timers')}.install();`,
    restore: 'clock.uninstall();',
  },
  'fake timers, those of Node': {
    replace: "const { mock } = await import('node:test'); mock.timers.enable();",
    restore: 'mock.timers.reset();',
  },
  'timers that are numbers': {
    replace: `for (const name of ${JSON.stringify(timers)}) {
      const native = globalThis[name];
      globalThis[name] = (...values) => native(...values)[Symbol.toPrimitive]?.() ?? 1;
    }`,
  },
  'zone.js': { replace: `${require('zone.js/node')};`, promise: 'Promise' },
  "a zone that keeps its jobs back, as Angular's `fakeAsync` does": {
    replace: `${require('zone.js/node')}; ${require('zone.js/plugins/fake-async-test')};`,
    around: "(make) => Zone.current.fork(new Zone.FakeAsyncTestZoneSpec('zone')).run(make)",
  },
  Bluebird: {
    replace: `globalThis.Promise = ${require('bluebird')};`,
    restore: 'globalThis.Promise = real.Promise;',
    promise: require('bluebird'),
  },
  'one and the same random number': { replace: 'Math.random = () => 0.5;' },
  // `process.nextTick` is not among them: Node's own streams call it
  'globals that throw': {
    replace: `for (const name of ${JSON.stringify(globals)}) {
      Object.defineProperty(globalThis, name, { get() { throw new Error('the global ' + name + ' was used'); } });
    }
    Object.defineProperty(process, 'hrtime', { get() { throw new Error('process.hrtime was used'); } });`,
  },
};

describe.each(Object.entries(replacements))('%s', (_, replacement) => {
  it('put in place after the package is loaded', async () => {
    expect(await tour(replacement, { form: 'require', when: 'after' })).toEqual(expected);
  });

  it('put in place before the package is loaded', async () => {
    expect(await tour(replacement, { form: 'require', when: 'before' })).toEqual(expected);
  });

  if (replacement.restore === undefined) return;
  it('put in place before the package is loaded as an ES module', async () => {
    expect(await tour(replacement, { form: 'import', when: 'before' })).toEqual(expected);
  });

  it('taken away once the package was loaded and used', async () => {
    expect(await tour(replacement, { form: 'require', when: 'before', restoreInBetween: true })).toEqual(expected);
  });
});

it.each(['timers that are numbers', 'zone.js', 'Bluebird'])(
  '%s preloaded in every thread, those of the workers too',
  async (name) => {
    const replacement = replacements[name];
    if (replacement === undefined) throw new Error(`there is no ${name}`);
    expect(await tour(replacement, { form: 'import', when: 'preloaded' })).toEqual(expected);
  },
);
