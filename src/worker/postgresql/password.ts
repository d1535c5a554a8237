/** The password of a connection: one that is known, or one that the main thread is asked for, through a port of its own. */
import type { MessagePort } from 'node:worker_threads';
import { type Remote, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import type { PasswordSource } from '../../protocol/service.ts';
import { clearTimeout, Promise, setTimeout } from '../../protocol/surroundings.ts';
import { ServerError } from './sqlstates.ts';

export type Password = string | MessagePort | undefined;

const sources = new WeakMap<MessagePort, Remote<PasswordSource>>();

/** Then the server counts as away: it is tried again for as long as callers want to wait. */
export class NoPassword extends ServerError {
  constructor(reason: string) {
    super('connection-failed', 'reconnect', `the function Password failed: ${reason}`);
  }
}

/** @throws NoPassword if the function fails, or does not answer in time */
export async function passwordFor(given: Password, timeoutMs: number): Promise<string | undefined> {
  if (typeof given !== 'object') return given;
  const source = sources.get(given) ?? wrap<PasswordSource>(nodeEndpoint(given));
  sources.set(given, source);
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`it did not answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([source.password(), tooLate]);
  } catch (error) {
    throw new NoPassword((error as Error).message);
  } finally {
    clearTimeout(timer);
  }
}
