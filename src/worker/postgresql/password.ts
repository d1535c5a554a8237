/** Passwords of a connection: those that are known, and those that the main thread is asked for, each through a port of its own. */
import type { MessagePort } from 'node:worker_threads';
import { type Remote, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import type { PasswordSource } from '../../protocol/service.ts';
import { clearTimeout, Promise, setTimeout } from '../../protocol/surroundings.ts';
import { ServerError } from './sqlstates.ts';

export type Password = string | MessagePort | undefined;

/** One function that gives no answer keeps the next one waiting for so long. */
const ASK_NEXT_AFTER_MS = 500;

const sources = new WeakMap<MessagePort, Remote<PasswordSource>>();

interface Answer {
  given: Password;
  password?: string | undefined;
  /** Why there is none: the function has failed, or not answered in time. */
  missing?: ServerError;
}

/** Asks for one password after the other, of those that there are at each time, and yields the answers as they come. */
export async function* answersOf(passwords: () => readonly Password[], timeoutMs: number): AsyncGenerator<Answer> {
  const asked = new Set<Password>();
  const open = new Map<Password, Promise<Answer>>();
  const { promise: over, resolve: end } = Promise.withResolvers<undefined>();
  try {
    for (;;) {
      for (const given of passwords()
        .filter((one) => !asked.has(one))
        .slice(0, 1)) {
        asked.add(given);
        open.set(given, ask(given, timeoutMs, over));
      }
      if (open.size === 0) return;
      const answer = await firstOf(open.values(), ASK_NEXT_AFTER_MS);
      if (answer === undefined) continue;
      open.delete(answer.given);
      yield answer;
    }
  } finally {
    end(undefined);
  }
}

async function ask(given: Password, timeoutMs: number, over: Promise<undefined>): Promise<Answer> {
  if (typeof given !== 'object') return { given, password: given };
  const source = sources.get(given) ?? wrap<PasswordSource>(nodeEndpoint(given));
  sources.set(given, source);
  try {
    const password = await firstOf([source.password(), over], timeoutMs);
    if (password === undefined) throw new Error(`it did not answer within ${timeoutMs} ms`);
    return { given, password };
  } catch (error) {
    const message = `the function Password failed: ${(error as Error).message}`;
    // the server counts as away: it is tried again for as long as callers want to wait
    return { given, missing: new ServerError('connection-failed', 'reconnect', message) };
  }
}

async function firstOf<T>(awaited: Iterable<Promise<T>>, withinMs: number): Promise<T | undefined> {
  const { promise: tooLate, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), withinMs);
  try {
    return await Promise.race([...awaited, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
