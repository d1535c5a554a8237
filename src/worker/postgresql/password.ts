/** Passwords of a connection: those that are known, and those that the main thread is asked for, each through a port of its own. */
import type { MessagePort } from 'node:worker_threads';
import { type Remote, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { reportedOf } from '../../protocol/errors.ts';
import type { PasswordSource } from '../../protocol/service.ts';
import { clearTimeout, Promise, setTimeout } from '../../protocol/surroundings.ts';
import type { Member } from '../engine.ts';
import { isRefusal, ServerError } from './sqlstates.ts';

type Password = Member['password'];

/** One function that gives no answer keeps the next one waiting for so long. */
const ASK_NEXT_AFTER_MS = 500;

/** The most that are tried: a server may lock a role out that is refused again and again. */
const MOST_PASSWORDS = 4;

const sources = new WeakMap<MessagePort, Remote<PasswordSource>>();

interface Answer {
  given: Password;
  password?: string | undefined;
  /** Why there is none: the function has failed, or not answered in time. */
  missing?: ServerError;
}

export class Passwords {
  /** Those of the providers that there are, with these, and some words of those that have gone, with nobody; the newest are last. */
  readonly #offered = new Map<Password, Set<Member>>();
  /** The one that was accepted last, if any was. */
  #accepted: readonly Password[] = [];

  /** One for the next connection. */
  offer(member: Member): void {
    const { password } = member;
    const members = this.#offered.get(password) ?? new Set();
    this.#offered.delete(password);
    this.#offered.set(password, members.add(member));
  }

  /** A provider has gone, and is asked no more. Its word may serve others. */
  withdraw(member: Member): void {
    const { password } = member;
    if (typeof password === 'object') {
      password.close();
      this.#offered.delete(password);
      return;
    }
    this.#offered.get(password)?.delete(member);
    const left = [...this.#offered].filter(([, members]) => members.size === 0);
    for (const [word] of left.slice(0, -MOST_PASSWORDS)) this.#offered.delete(word);
  }

  /** The one that was right, the newest one, and those of providers that there are before words of those that have gone. */
  get #best(): Password[] {
    const accepted = this.#accepted.filter((password) => typeof password !== 'object' || this.#offered.has(password));
    const offered = [...this.#offered.keys()].reverse();
    const living = offered.filter((password) => this.#offered.get(password)?.size);
    const best = new Set([...accepted, ...offered.slice(0, 1), ...living, ...offered]);
    return [...best].slice(0, MOST_PASSWORDS);
  }

  /** Connects with one after the other, of those that there are at each time, as they are had, until one is not refused. */
  async tryEach<T>(connect: (password: string | undefined) => Promise<T>, timeoutMs: number): Promise<T> {
    const asked = new Set<Password>();
    const open = new Map<Password, Promise<Answer>>();
    let noPassword: unknown;
    let refusal: unknown;
    for (;;) {
      for (const given of this.#best.filter((one) => !asked.has(one)).slice(0, 1)) {
        asked.add(given);
        open.set(given, ask(given, timeoutMs));
      }
      if (open.size === 0) throw noPassword ?? refusal; // one that can't be had may be had soon
      const answer = await firstOf(open.values(), ASK_NEXT_AFTER_MS);
      if (answer === undefined) continue;
      const { given, password, missing } = answer;
      open.delete(given);
      noPassword ??= missing;
      if (missing !== undefined) continue;
      try {
        const connection = await connect(password);
        this.#accepted = [given];
        return connection;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        refusal ??= error;
      }
    }
  }
}

async function ask(given: Password, timeoutMs: number): Promise<Answer> {
  if (typeof given !== 'object') return { given, password: given };
  const source = sources.get(given) ?? wrap<PasswordSource>(nodeEndpoint(given));
  sources.set(given, source);
  try {
    const password = await firstOf([source.password()], timeoutMs);
    const blocked = 'it is not called while its thread is blocked (flushSync, the end of the process)';
    if (password === undefined) throw new Error(`it did not answer within ${timeoutMs} ms; ${blocked}`);
    return { given, password };
  } catch (error) {
    const { message: reason = reportedOf(error).message } = Object(error) as { message?: unknown };
    const message = `the function Password failed: ${reason}`;
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
