/** Tells that a call blocks this thread: what it waits for is held until then, and can't be over before. */
import { DatabaseSync } from 'node:sqlite';
import { onTestFinished } from 'vitest';

/** Acts as this thread is about to be blocked for the first time; the call waits behind that. */
export function onceBlocked(act: () => void): void {
  const { wait } = Atomics;
  const restore = () => void Object.assign(Atomics, { wait });
  onTestFinished(restore);
  const waitOnce = (...given: Parameters<typeof wait>) => {
    restore();
    act();
    return wait(...given);
  };
  Object.assign(Atomics, { wait: waitOnce });
}

/** Keeps a file locked until a call is held: else each might be done before the next one. */
export function lockUntilBlocked(file: string): void {
  const holder = new DatabaseSync(file);
  holder.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  onceBlocked(() => holder.close());
}
