/** Keeps the process alive: neither timers nor the merging thread do that by themselves. */
import { MessageChannel } from 'node:worker_threads';
import type { Promise } from '../protocol/surroundings.ts';

/** Until somebody's work is done. */
export async function keptAlive<T>(work: Promise<T>): Promise<T> {
  const { port1 } = new MessageChannel();
  port1.on('message', () => {}); // by which it counts
  try {
    return await work;
  } finally {
    port1.close();
  }
}
