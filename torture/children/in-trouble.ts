/** What programs in ordinary trouble have in common: they tell what becomes of their calls, meet trouble from within, and end as their life says. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { openSync, writeSync } from 'node:fs';
import { livingWorkers } from '../living-workers.ts';
import { Random } from '../random.ts';
import type { Inside, Life } from '../two-troubles.ts';

export interface Work {
  /** Until it is over. */
  work(): Promise<unknown>;
  close(): Promise<unknown>;
  /** Some more calls in the turn in which the program ends. */
  lastCalls(): void;
  /** Lets a program end that would not by itself. */
  letEnd?(): void;
  /** Whether some of it is tried no more, which nobody has to wait for at a natural end. */
  givesUp?(): boolean;
}

export const life = JSON.parse(process.argv[2] ?? '{}') as Life;
export const random = new Random(life.seed + life.process);
// a file takes it at once, whatever its reader does, and keeps it after a SIGKILL
const told = openSync(life.told, 'a');
export const say = (line: string) => writeSync(told, `${line}\n`);
/** Of all calls. */
const promises: Promise<unknown>[] = [];
let over = false;

export const isOver = () => over;

export function noted<T>(promise: Promise<T>): Promise<T> {
  promises.push(promise);
  return promise;
}

const inside: Record<Inside, (lasts: number) => void> = {
  'lost worker': () => {
    const workers = [...livingWorkers];
    if (workers.length > 0) void random.pick(workers).terminate();
  },
  blocked: (lasts) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.min(lasts, 500)),
  throwing: (lasts) => {
    const throws = () => {
      throw new Error('of a subscriber');
    };
    const channels = [
      'tracing:sds-persistence:commit:asyncEnd',
      'sds-persistence:write-failed',
      'sds-persistence:busy',
    ];
    for (const channel of channels) subscribe(channel, throws);
    setTimeout(() => {
      for (const channel of channels) unsubscribe(channel, throws);
    }, lasts);
  },
};

/** Looked at when nothing is left to come. */
function tellUnsettled(): void {
  let isSettled = false;
  void Promise.allSettled(promises).then(() => {
    isSettled = true;
  });
  process.once('exit', () => {
    if (!isSettled) say('wrong: a promise was never settled');
  });
}

export function live({ work, close, lastCalls, letEnd, givesUp }: Work): void {
  if (life.inside.some(({ kind }) => kind === 'throwing')) {
    process.on('uncaughtException', (error) => {
      if (error.message !== 'of a subscriber') process.exit(1);
    });
  }
  let working: Promise<unknown> | undefined;
  /** Not before all is prepared: a call may be held for as long as the trouble lasts. */
  const begin = () => {
    console.log('ready');
    working = work();
  };
  for (const { kind, at, lasts } of life.inside) setTimeout(() => inside[kind](lasts), at).unref();
  // as a server does; else it ends once all that it waits for is given up
  if (life.ending === 'kill' || life.ending.startsWith('SIGTERM')) setInterval(() => {}, 1000);
  if (life.ending === 'kill') return void begin();
  const endings: Record<Exclude<Life['ending'], 'kill'>, () => unknown> = {
    async close() {
      over = true;
      await working;
      await close();
      tellUnsettled();
    },
    async natural() {
      over = true;
      process.once('beforeExit', () => {
        if (!givesUp?.()) tellUnsettled();
      });
      await working;
      letEnd?.();
    },
    exit() {
      lastCalls();
      process.exit(0);
    },
    error() {
      lastCalls();
      throw new Error('nobody catches this');
    },
    async 'SIGTERM, close'() {
      over = true;
      await close();
      process.exit(0);
    },
    'SIGTERM, exit'() {
      lastCalls();
      process.exit(0);
    },
  };
  const end = endings[life.ending];
  if (life.ending.startsWith('SIGTERM')) process.once('SIGTERM', end);
  else setTimeout(end, life.lasts);
  begin();
}
