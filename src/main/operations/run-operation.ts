/** Runs an operation: what its thread tells becomes progress, and its promise's end. */
import { makeError, reviveCause } from '../../protocol/errors.ts';
import {
  ALLOWED,
  type OperationName,
  type OperationOutcome,
  type OperationReply,
  type OperationRequest,
  type Operations,
  RUNNING,
  STOPPED,
} from '../../protocol/operation-messages.ts';
import type { SDS_OperationOptions, SDS_OperationProgress, SDS_StopSignal } from '../../protocol/operations.ts';
import { Promise } from '../../protocol/surroundings.ts';
import { note } from '../observe/notes.ts';
import { onFiles, onServers, type Thread, type WaitingOperation } from './operation-threads.ts';

/** Rejects with the signal's reason once what was stopped is cleaned up. Options are plain: reading them runs nothing. */
export async function runOperation<Name extends OperationName>(
  operation: Name,
  call: string,
  given: Operations[Name]['given'],
  options: SDS_OperationOptions,
): Promise<Operations[Name]['result']> {
  if (options.Signal?.aborted) throw reasonOf(options.Signal);
  const running = new RunningOperation({ operation, given }, call, options);
  running.start();
  return running.result.promise as Promise<Operations[Name]['result']>;
}

class RunningOperation implements WaitingOperation {
  readonly result = Promise.withResolvers<unknown>();
  readonly #request: OperationRequest;
  readonly #call: string;
  readonly #options: SDS_OperationOptions;
  /** From its begin on, until it has answered or is lost. */
  #thread: Thread | undefined;
  /** With what it ends, if it was stopped: whatever its worker answers then. */
  #stopped: { reason: unknown } | undefined;
  /** Tells the caller what is known by now, where only the end of the thread ends it. */
  #settle: (() => void) | undefined;

  constructor(request: OperationRequest, call: string, options: SDS_OperationOptions) {
    this.#request = request;
    this.#call = call;
    this.#options = options;
  }

  get #threads() {
    return this.#request.operation === 'copy' ? onServers : onFiles;
  }

  start(): void {
    this.#options.Signal?.addEventListener('abort', this.#onAbort); // it may throw: nothing is begun yet
    if (this.#stopped === undefined) this.#threads.ask(this);
    else this.#endWith(this.#stopped.reason);
  }

  begin(thread: Thread): void {
    this.#thread = thread;
    if (this.#stopped !== undefined) Atomics.store(thread.cell, 0, STOPPED); // while there was none
    thread.worker.on('told', this.#onMessage).on('error', this.#onError).on('exit', this.#onExit);
    thread.port.postMessage(this.#request);
  }

  fail(error: unknown): void {
    this.#letGo();
    this.#lost('no thread could be started', error);
  }

  readonly #onAbort = () => this.#stop(reasonOf(this.#options.Signal));

  #stop(reason: unknown): void {
    // what may have appeared already is not stopped any more
    if (this.#thread !== undefined && Atomics.compareExchange(this.#thread.cell, 0, RUNNING, STOPPED) === ALLOWED)
      return;
    this.#stopped ??= { reason };
    if (this.#threads.giveUp(this)) this.#endWith(reason);
  }

  #endWith(reason: unknown): void {
    this.#letGo();
    this.result.reject(reason);
  }

  readonly #onMessage = (reply: OperationReply) => {
    if (reply.kind === 'progress') return this.#tell(reply.progress);
    if (reply.kind === 'ready') return this.#allow();
    this.#settle = () => this.#finish(reply.outcome);
    if (reply.endThread || this.#thread === undefined) return; // its end closes the file
    const used = this.#thread;
    this.#letGo();
    this.#threads.giveBack(used);
    this.#settle();
  };

  #tell(progress: SDS_OperationProgress): void {
    if (this.#stopped !== undefined) return;
    const { OnProgress } = this.#options;
    try {
      OnProgress?.(progress);
    } catch (error) {
      this.#stop(error);
      this.#stopped ??= { reason: error };
    }
  }

  /** The caller has heard of all progress, and has not stopped it. */
  #allow(): void {
    if (this.#thread === undefined) return;
    Atomics.compareExchange(this.#thread.cell, 0, RUNNING, ALLOWED);
    Atomics.notify(this.#thread.cell, 0);
  }

  readonly #onError = (error: unknown) => {
    const detail = this.#thread?.began === false ? 'no thread could be started' : 'its thread was lost; try again';
    this.#settle ??= () => this.#lost(detail, error);
  };

  readonly #onExit = () => {
    if (this.#thread === undefined) return; // its answer has come in the same event, and was the end
    const [{ began }, settle] = [this.#thread, this.#settle];
    this.#thread = this.#settle = undefined;
    if (!began && this.#threads.beginAgain(this)) return;
    this.#letGo();
    this.#threads.ended();
    if (settle !== undefined) return settle();
    this.#lost('its thread ended before the work was done; try again');
  };

  /** From here on the thread is another operation's, also before the signal's listener is gone. */
  #letGo(): void {
    const { Signal } = this.#options;
    if (Signal !== undefined) note(() => Signal.removeEventListener('abort', this.#onAbort));
    this.#thread?.worker.off('told', this.#onMessage).off('error', this.#onError).off('exit', this.#onExit);
    this.#thread = undefined;
  }

  #finish(outcome: OperationOutcome): void {
    if (this.#stopped !== undefined || outcome.kind === 'stopped') this.result.reject(this.#stopped?.reason);
    else if (outcome.kind === 'done') this.result.resolve(outcome.result);
    else {
      const { code, path, detail, cause } = outcome;
      this.result.reject(makeError(code, this.#call, path, detail, cause && reviveCause(cause)));
    }
  }

  #lost(detail: string, cause?: unknown): void {
    this.result.reject(makeError('worker-lost', this.#call, this.#request.given.path, detail, cause));
  }
}

/** A signal may be of anybody's making. */
function reasonOf(signal: SDS_StopSignal | undefined): unknown {
  try {
    return signal?.reason;
  } catch (error) {
    return error;
  }
}
