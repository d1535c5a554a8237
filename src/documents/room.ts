/** Waits for room where calls are refused for want of it (`overflow: 'reject'`). */
import type { SDS_DesktopPersistenceProvider, SDS_PersistenceError } from '../main/index.ts';
import { Promise, pause } from '../protocol/surroundings.ts';

const FIRST_MS = 20;
const LONGEST_MS = 1000;

/**
 * Makes a call, and makes it again as long as it is refused with `queue-full`: once what was called before on this file is finished, and
 * after a pause, because the memory may be full of calls on other files of the worker. Whatever else the call fails with ends
 * that. The process lives on meanwhile, as it does for the calls that have the memory.
 */
export async function whenThereIsRoom<T>(provider: SDS_DesktopPersistenceProvider, call: () => Promise<T>): Promise<T> {
  for (let ms = FIRST_MS; ; ms = Math.min(2 * ms, LONGEST_MS)) {
    try {
      return await call();
    } catch (error) {
      if ((error as SDS_PersistenceError).code !== 'queue-full') throw error;
    }
    await untilRoom(provider, ms);
  }
}

/** Until what was called before on this file is finished, and then for so long. */
export async function untilRoom(provider: SDS_DesktopPersistenceProvider, ms = FIRST_MS): Promise<void> {
  await Promise.allSettled([provider.flush()]); // a failure is told to those who called
  await pause(ms);
}
