/** One thread for one worker, by Comlink, whose promises never settle once it is gone: then its owner recovers. */
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { type Endpoint, type Remote, releaseProxy, transfer, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { outsideOfCalls } from '../../protocol/async-context.ts';
import type { WorkerService } from '../../protocol/service.ts';
import { performance } from '../../protocol/surroundings.ts';
import type { Channel } from '../channel/channel.ts';
import { type EngineKind, WorkerThread } from './worker-thread.ts';

/** A worker that did not start within this is taken for lost by a blocked thread, which hears of no exit, unless its thread is seen. */
const START_PATIENCE_MS = 30_000;

/** The worker that it is the link to. */
interface LinkOwner {
  readonly channel: Channel;
  /** Told that the process may have nothing left to wait for. */
  readonly dispatcher: { updateReference(): void };
  recover(reason: unknown): void;
}

export class WorkerLink {
  /** Whether the thread was started for another worker. */
  readonly isGuest: boolean;
  readonly channel: Channel;
  readonly thread: WorkerThread;
  readonly #port: Worker | MessagePort;
  readonly #service: Remote<WorkerService>;
  readonly #owner: LinkOwner;
  readonly #startedAt = performance.now();
  #over = false;
  #referenced = true;
  /** That somebody waits for, and are not answered. */
  calls = 0;
  /** Told if the call under way can't be posted. */
  #onRefused: ((refusal: unknown) => void) | undefined;

  /** In a thread of its own. @throws what Node throws where none can be started */
  static start(kind: EngineKind, arena: SharedArrayBuffer, owner: LinkOwner): WorkerLink {
    owner.channel.reset();
    const thread = new WorkerThread(kind, owner.channel.sharedWith(arena));
    return new WorkerLink(thread, thread.worker, owner);
  }

  private constructor(thread: WorkerThread, port: Worker | MessagePort, owner: LinkOwner) {
    this.thread = thread;
    this.#port = port;
    this.isGuest = port !== thread.worker;
    this.#owner = owner;
    this.channel = owner.channel;
    const endpoint = nodeEndpoint(port);
    this.#service = wrap<WorkerService>({
      ...endpoint,
      // counted once it is sent: of one that can't be, the worker hears nothing, and must not wait for it
      postMessage: (...message: Parameters<Endpoint['postMessage']>) => {
        if (this.#over) return;
        try {
          endpoint.postMessage(...message);
        } catch (error) {
          this.#onRefused?.(error);
          throw error;
        }
        this.channel.called();
      },
    });
    if (this.isGuest) port.on('messageerror', (error) => thread.end(error));
    thread.served.add(this);
  }

  /** In the thread of this link, besides. */
  serveAlso(arena: SharedArrayBuffer, owner: LinkOwner): WorkerLink {
    owner.channel.reset();
    const { port1, port2 } = new MessageChannel();
    const shared = owner.channel.sharedWith(arena);
    this.call((service) => service.serve(shared, transfer(port2, [port2])));
    return new WorkerLink(this.thread, port1, owner);
  }

  /**
   * Calls the worker.
   *
   * @param onAnswer - the process goes on living until it is told. A call without it keeps nothing alive: what it has the worker
   *   look at is waited for at the end of the process
   * @param onFailure - told of a call that can't be sent, or has thrown. Without it the worker can't go on without the
   *   call: it ends, and its successor is asked anew
   * @param onRefused - told at once why it can't be posted
   */
  call<T>(
    method: (service: Remote<WorkerService>) => Promise<T>,
    onAnswer?: (answer: T) => void,
    onFailure: (error: unknown) => void = (error) => this.thread.end(error),
    onRefused?: (refusal: unknown) => void,
  ): void {
    if (this.#over) return;
    if (onAnswer !== undefined) {
      this.calls++;
      this.keepAlive(true);
    }
    void outsideOfCalls(async () => {
      let tell: () => void;
      try {
        this.#onRefused = onRefused;
        const answered = method(this.#service);
        this.#onRefused = undefined; // it holds all that was sent
        const answer = await answered;
        tell = () => onAnswer?.(answer);
      } catch (error) {
        tell = () => onFailure(error);
      }
      if (this.#over) return; // all that a lost worker left unanswered is asked again
      if (onAnswer !== undefined) this.calls--;
      tell();
      this.#owner.dispatcher.updateReference();
    });
  }

  keepAlive(wanted: boolean): void {
    if (wanted === this.#referenced) return;
    this.#referenced = wanted;
    if (wanted) this.#port.ref();
    else this.#port.unref();
  }

  /** For a blocked thread, which hears no event: why the worker is gone, if it is. */
  checkLife(): Error | undefined {
    const isLate = !this.channel.booted && performance.now() - this.#startedAt > START_PATIENCE_MS;
    if (!this.thread.hasEnded(this.channel, isLate)) return undefined;
    return new Error(isLate ? 'the worker thread did not start' : 'the worker thread has ended');
  }

  /** Takes no notice of the thread any more, and ends it: it must not do what was refused, or is done by another. */
  leave(): void {
    this.#isOver();
    this.thread.end();
  }

  /** The same where nothing is left to do: a thread of another worker goes on with what that one has. */
  depart(): void {
    this.#isOver();
    this.thread.served.delete(this);
    if ('close' in this.#port) this.#port.close();
    else this.thread.end();
  }

  ended(reason: unknown): void {
    if (!this.#over) this.#owner.recover(reason);
  }

  #isOver(): void {
    this.#over = true;
    this.keepAlive(false);
    // Comlink keeps what a proxy speaks to until the proxy is garbage: it would never be, because that leads back to it
    this.#service[releaseProxy]();
  }
}
