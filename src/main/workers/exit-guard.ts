/** What was called before `process.exit()`, an uncaught error or a handled signal is committed before the end. */
import { isOnServer } from '../../protocol/errors.ts';
import { exitBegins, isAtEnd, tellNoted } from '../observe/notes.ts';
import { sayAtExit, tellUnheard } from '../observe/warnings.ts';
import type { ReplaceableWorker } from './replaceable-worker.ts';

/** How long exit waits for a worker that commits nothing: longer than the default BusyTimeoutMs. */
const PATIENCE_MS = 10_000;

/** A worker that takes longer to close a file is ended while it is at it: nothing is lost by that. */
const CLOSE_PATIENCE_MS = 2000;

/**
 * A handler of uncaught errors may end the process or go on: it is not kept waiting for as long for a busy file, or a server that
 * is away. On a machine with much to do a thread may get no core for some 100 ms.
 */
const ERROR_PATIENCE_MS = 1000;

/** Of one copy of this module. Copies of other versions call these, so they stay as they are. */
interface Guard {
  beforeExit(): void;
  drain(): void;
  uncaught(): void;
  exit(): void;
}

/** Copies of this module share listeners: tools that load modules anew with each change would add some each time. */
const GUARDS = Symbol.for('sds-persistence-worker.exit-guards');

function guardsOfProcess(): Set<Guard> {
  const holder = process as { [GUARDS]?: Set<Guard> };
  const known = holder[GUARDS];
  if (known !== undefined) return known;
  const guards = new Set<Guard>();
  Object.defineProperty(process, GUARDS, { value: guards });
  process.on('beforeExit', () => each(guards, (one) => one.beforeExit()));
  // before those of the program: one that throws, or ends the process, is the last one that is called
  process.prependListener('exit', () => each(guards, (one) => one.exit()));
  if (process.versions.deno === undefined) {
    // a handler of uncaught errors that throws as well ends the process without an `exit` event
    process.on('uncaughtExceptionMonitor', () => {
      const isHandled = process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback();
      if (isHandled) each(guards, (one) => one.uncaught());
    });
  } else {
    // Deno has none after an error that nobody catches, nor after its own `Deno.exit`
    const drain = () => each(guards, (one) => one.drain());
    process.on('uncaughtExceptionMonitor', drain);
    (globalThis as unknown as EventTarget).addEventListener('unload', drain);
  }
  return guards;
}

/** A copy that fails keeps no other from its work. */
function each(guards: ReadonlySet<Guard>, call: (guard: Guard) => void): void {
  const failures: unknown[] = [];
  for (const one of [...guards]) {
    try {
      call(one);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

let guard: Guard | undefined;

/** Has `exit` wait for the workers in this list, which its owner keeps up to date; called with an empty list it lets go. */
export function guardExit(workers: readonly ReplaceableWorker[]): void {
  if (workers.length === 0 && guard !== undefined) {
    // nothing of this copy is held by the process any more
    guardsOfProcess().delete(guard);
    guard = undefined;
  }
  if (workers.length === 0 || guard !== undefined) return;
  // the first provider of all may be made in an `exit` listener: then ours would come too late
  if (isAtEnd()) exitBegins();
  // copies: one that has neither a thread nor files any more is taken out
  const drain = () => drainAtExit([...workers]);
  guard = {
    // nothing is left to do: as long as calls are under way their failures can still be told
    beforeExit() {
      for (const { dispatcher } of workers) dispatcher.endWhenCommitted();
    },
    drain,
    uncaught() {
      waitForAll([...workers], (worker) => worker.draining(ERROR_PATIENCE_MS));
    },
    exit() {
      exitBegins();
      tellUnheard();
      drain();
      tellNoted(); // no microtask will do so any more; what is called within is drained at once
      waitForAll([...workers], (worker) => worker.retiring(CLOSE_PATIENCE_MS));
      tellNoted();
    },
  };
  guardsOfProcess().add(guard);
}

/** Blocks until the workers have committed everything; also for calls made by later `exit` listeners. */
export function drainAtExit(workers: readonly ReplaceableWorker[]): void {
  const givenUp = waitForAll(workers, (worker) => worker.draining(PATIENCE_MS));
  for (const worker of givenUp) sayUnfinished(worker.giveUp());
}

/** Blocks for all at once, because one that commits nothing must not keep others from their work; returns those that were given up. */
function waitForAll(
  workers: readonly ReplaceableWorker[],
  wait: (worker: ReplaceableWorker) => Generator<void, boolean, void>,
): ReplaceableWorker[] {
  const givenUp: ReplaceableWorker[] = [];
  let waits = workers.map((worker) => ({ worker, waiting: wait(worker) }));
  try {
    while (waits.length > 0) {
      waits = waits.filter(({ worker, waiting }) => {
        const { done, value } = waiting.next();
        if (done && !value) givenUp.push(worker);
        return !done;
      });
    }
  } finally {
    // no stack is left: the others are not blocked for ever
    for (const { waiting } of waits) waiting.return(false);
  }
  return givenUp;
}

function sayUnfinished(unfinished: readonly string[]): void {
  const [file, ...others] = unfinished;
  if (file === undefined) return; // finished while others were waited for
  const files = others.length === 0 ? `'${file}'` : `'${file}' and ${others.length} more`;
  const answers = unfinished.some(isOnServer)
    ? 'disk or the server answers; a function Password is not called any more'
    : 'disk answers';
  sayAtExit(
    `nothing was committed for ${PATIENCE_MS} ms as the process ends: calls on ${files} may be lost, ` +
      `also some that were acknowledged as they were queued; see whether another process has it locked, and whether the ${answers}`,
  );
}
