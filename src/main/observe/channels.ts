/** What listeners are told: channels, and lines of NODE_DEBUG. Without any, nothing is made. When: see `notes.ts`. */

import { channel, type TracingChannel, tracingChannel } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';
import { currentContext, outsideOfCalls } from '../../protocol/async-context.ts';
import type { SDS_PersistenceError } from '../../protocol/errors.ts';
import { note } from './notes.ts';

const PREFIX = 'sds-persistence';

/** Calls: `start` and `end` at the call, `asyncStart` and `asyncEnd` when its promise settles, `error` before that if it fails. */
export const traced = {
  open: tracingChannel(`${PREFIX}:open`),
  commit: tracingChannel(`${PREFIX}:commit`),
  load: tracingChannel(`${PREFIX}:load`),
  backup: tracingChannel(`${PREFIX}:backup`),
};

/** Events. */
export const told = {
  'worker-lost': channel(`${PREFIX}:worker-lost`),
  'worker-replaced': channel(`${PREFIX}:worker-replaced`),
  busy: channel(`${PREFIX}:busy`),
  collision: channel(`${PREFIX}:collision`),
  'write-failed': channel(`${PREFIX}:write-failed`),
  fenced: channel(`${PREFIX}:fenced`),
  'file-gone': channel(`${PREFIX}:file-gone`),
  'load-failed': channel(`${PREFIX}:load-failed`),
  'merge-failed': channel(`${PREFIX}:merge-failed`),
};

const debug = debuglog(PREFIX);

/** One line an event of the life of files and workers, also where the name of a file has a line break in it. */
export function log(format: string, ...values: unknown[]): void {
  if (!debug.enabled) return;
  const shown = values.map((value) => (typeof value === 'string' ? onOneLine(value) : value));
  note(() => outsideOfCalls(() => debug(format, ...shown)));
}

const onOneLine = (text: string): string => text.replaceAll('\r', '\\r').replaceAll('\n', '\\n');

/** What the events of one call share; keys are added while it goes on. */
type TraceContext = Record<string, unknown>;

/** A call that is told of, in its own asynchronous context: its beginning first, whatever is called meanwhile. */
export class Trace {
  readonly #tracing: TracingChannel;
  readonly #context: TraceContext;
  readonly #inContext = currentContext();
  #begun = false;
  #tellEnd: (() => void) | undefined;

  constructor(tracing: TracingChannel, context: TraceContext) {
    this.#tracing = tracing;
    this.#context = context;
    note(() => this.#inContext(() => this.#begin()));
  }

  #begin(): void {
    this.#tracing.start.publish(this.#context);
    this.#tracing.end.publish(this.#context);
    this.#begun = true;
    this.#tellEnd?.(); // it was settled before that
  }

  /** It is settled, with an error if it has failed; `facts` are added to what is told. */
  end(facts: TraceContext, error?: unknown): void {
    const tell = () => this.#inContext(() => this.#end(error === undefined ? facts : { ...facts, error }, error));
    if (this.#begun) note(tell);
    else this.#tellEnd = tell;
  }

  #end(facts: TraceContext, error: unknown): void {
    for (const [key, value] of Object.entries(facts)) {
      // whatever a subscriber has made of it: nothing of that is run, and one that it has frozen stays as it is
      Reflect.defineProperty(this.#context, key, { value, configurable: true, enumerable: true, writable: true });
    }
    if (error !== undefined) this.#tracing.error.publish(this.#context);
    this.#tracing.asyncStart.publish(this.#context);
    this.#tracing.asyncEnd.publish(this.#context);
  }
}

/** Begins a call; `undefined` if nobody listens. */
export function begin(name: keyof typeof traced, make: () => TraceContext): Trace | undefined {
  const tracing = traced[name];
  return tracing.hasSubscribers ? new Trace(tracing, make()) : undefined;
}

/** Tells of an event, which belongs to no call: a batch that fails has the calls of many. */
export function tell(name: keyof typeof told, message: TraceContext): void {
  log('%s %j', name, message);
  const listened = told[name];
  if (listened.hasSubscribers) note(() => outsideOfCalls(() => listened.publish(message)));
}

/** Errors that an operator wants to hear of, besides whoever made the call. */
export function tellOfError(error: SDS_PersistenceError, path: string): void {
  if (error.code === 'database-busy') tell('busy', { Path: path, Message: error.message });
  const { message = '' } = (error.cause ?? {}) as Partial<Error>;
  if (error.code === 'io-error' && /removed or moved away/.test(message)) tell('file-gone', { Path: path });
}
