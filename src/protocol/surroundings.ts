/**
 * What the package takes of the program around it, as it was when this module was loaded; `npm run check` refuses these
 * globals elsewhere in `src`. Programs put their own in place, at any time: test runners have clocks and timers that
 * stand still, jsdom has timers that are numbers, zone.js and Bluebird have promises of their own.
 *
 * A test runner may have come first, and may have changed the modules as well. So things are taken from where nobody puts
 * anything, if there is such a place: methods of a prototype, the language's `await` in place of `then` and
 * `queueMicrotask`, and its `Atomics.waitAsync` for a timer.
 */
export { Buffer } from 'node:buffer';

import { performance as clock } from 'node:perf_hooks';
import * as timers from 'node:timers';
import { scheduler } from 'node:timers/promises';
import { outsideOfCalls } from './async-context.ts';

/** The language's own promise, which an async function returns whatever `Promise` is. */
export const Promise = (async () => {})().constructor as PromiseConstructor;

// in Bun it is the object's own method
const { now = clock.now } = Object.getPrototypeOf(clock) as Partial<typeof clock>;
export const performance = { now: now.bind(clock) };

const { timeOrigin = 0 } = clock;
/** Whole microseconds of the wall clock, the same for all processes, more or less: by the clock that nobody sets. */
export const wallTimeUs = (): number => Math.floor((timeOrigin + performance.now()) * 1000);

/** Seconds since the process began: all threads of Node read the same clock. */
export const uptime = process.uptime.bind(process);

/** The program's own after all: whatever is in its place, `process.emitWarning` asks the same. */
export const nextTick = (callback: () => void): void => process.nextTick(callback);

/** For the workers. What a timer throws ends the thread, as it must; after `await` `--unhandled-rejections` decides. */
export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers;

const { wait = scheduler.wait, yield: giveWay = scheduler.yield } = Object.getPrototypeOf(scheduler) as Partial<
  typeof scheduler
>;

/** Keeps the process alive meanwhile. */
export const pause = (ms: number): Promise<void> => wait.call(scheduler, ms);

/** Lets the event loop have its turn. */
export const nextTurn = (): Promise<void> => giveWay.call(scheduler);

const done = Promise.resolve();

/** Calls at the end of the current job. */
export async function soon(callback: () => void): Promise<void> {
  await done;
  callback();
}

/**
 * Calls back after so many milliseconds, in no call's context; the process may end meanwhile. What it returns calls it off.
 */
export function later(callback: () => void, ms: number): () => void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  let isOff = false;
  const callBack = async () => {
    await Atomics.waitAsync(cell, 0, 0, ms).value;
    if (!isOff) callback();
  };
  outsideOfCalls(() => void callBack());
  return () => {
    isOff = true;
    Atomics.notify(cell, 0);
  };
}

/** The module is compiled when it is first asked for. */
export const randomUUID = (): string => process.getBuiltinModule('node:crypto').randomUUID();
