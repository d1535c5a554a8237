/** Keeps the process alive: neither timers nor the merging thread do that by themselves. */
import { MessageChannel } from 'node:worker_threads';
import { outsideOfCalls } from '../protocol/async-context.ts';
import { later, Promise } from '../protocol/surroundings.ts';

/** With both ports: on Bun, one whose other end is collected does not count. */
let channel: MessageChannel | undefined;
let waitedFor = 0;

/** Until somebody's work is done. */
export async function keptAlive<T>(work: Promise<T>): Promise<T> {
  channel ??= outsideOfCalls(listeningChannel);
  if (waitedFor++ === 0) channel.port1.ref();
  try {
    return await work;
  } finally {
    if (--waitedFor === 0) channel.port1.unref();
  }
}

/** The same for so long at most: then `undefined`, and the work goes on. */
export function keptAliveFor<T>(ms: number, work: Promise<T> | undefined): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  later(() => resolve(undefined), ms);
  return keptAlive(Promise.race([work, late]));
}

function listeningChannel(): MessageChannel {
  const made = new MessageChannel();
  made.port1.on('message', () => {}); // by which it counts
  return made;
}
