/**
 * What the provider tells whoever listens: channels of `node:diagnostics_channel`, and lines of NODE_DEBUG. With
 * nobody listening, nothing is made that could be told.
 */
import { channel, tracingChannel } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';
import { SDS_PersistenceError } from '../../protocol/errors.ts';

const PREFIX = 'sds-persistence';

/** Calls: `start` and `end` at the call, `asyncStart` and `asyncEnd` when its promise settles, `error` before that if it fails. */
export const traced = {
  open: tracingChannel(`${PREFIX}:open`),
  commit: tracingChannel(`${PREFIX}:commit`),
  load: tracingChannel(`${PREFIX}:load`),
  checkpoint: tracingChannel(`${PREFIX}:checkpoint`),
  backup: tracingChannel(`${PREFIX}:backup`),
};

/** Events. */
export const told = {
  'worker-lost': channel(`${PREFIX}:worker-lost`),
  'worker-replaced': channel(`${PREFIX}:worker-replaced`),
  busy: channel(`${PREFIX}:busy`),
  collision: channel(`${PREFIX}:collision`),
  'write-failed': channel(`${PREFIX}:write-failed`),
  'file-gone': channel(`${PREFIX}:file-gone`),
};

const debug = debuglog(PREFIX);

/** One line an event of the life of files and workers, also where the name of a file has a line break in it. */
export function log(format: string, ...values: unknown[]): void {
  if (debug.enabled) debug(format, ...values.map((value) => (typeof value === 'string' ? onOneLine(value) : value)));
}

const onOneLine = (text: string): string => text.replaceAll('\r', '\\r').replaceAll('\n', '\\n');

/** Whatever was thrown, for `log`, without its stack. */
export function said(thrown: unknown): string {
  return thrown instanceof SDS_PersistenceError ? `${thrown.code}: ${thrown.message}` : String(thrown);
}

/** What the events of one call share; keys are added while it goes on. */
export type TraceContext = Record<string, unknown>;

/** Begins a call; `undefined` if nobody listens. */
export function begin(name: keyof typeof traced, make: () => TraceContext): TraceContext | undefined {
  const tracing = traced[name];
  if (!tracing.hasSubscribers) return undefined;
  const context = make();
  tracing.start.publish(context);
  tracing.end.publish(context);
  return context;
}

export function finish(name: keyof typeof traced, context: TraceContext | undefined, error?: unknown): void {
  if (context === undefined) return;
  const tracing = traced[name];
  if (error !== undefined) {
    context.error = error;
    tracing.error.publish(context);
  }
  tracing.asyncStart.publish(context);
  tracing.asyncEnd.publish(context);
}

export function tell(name: keyof typeof told, message: TraceContext): void {
  if (told[name].hasSubscribers) told[name].publish(message);
  log('%s %j', name, message);
}

/** Errors that an operator wants to hear of, besides whoever made the call. */
export function tellOfError(error: SDS_PersistenceError, path: string): void {
  if (error.code === 'database-busy') tell('busy', { Path: path, Message: error.message });
  const { message = '' } = (error.cause ?? {}) as Partial<Error>;
  if (error.code === 'io-error' && /removed or moved away/.test(message)) tell('file-gone', { Path: path });
}
