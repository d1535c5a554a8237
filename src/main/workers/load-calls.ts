/** Loads of one file cross in one call: what is told later is asked for, and one that can't be answered fails alone. */
import type { Remote } from 'comlink';
import { cellTime } from '../../protocol/clock.ts';
import { type Failure, reportedOf } from '../../protocol/errors.ts';
import type { Loaded, LoadRequest, WorkerService } from '../../protocol/service.ts';
import type { FileQueue } from '../queue/file-queue.ts';
import type { Load } from '../queue/in-flight.ts';
import type { WorkerLink } from './worker-link.ts';

/** The dispatcher, which has the thread. */
interface LoadHost {
  readonly link: WorkerLink | undefined;
  settle(): void;
  pump(): void;
}

export class LoadCalls {
  readonly #host: LoadHost;
  /** The number of the last call. */
  #last = 0;

  constructor(host: LoadHost) {
    this.#host = host;
  }

  send(queue: FileQueue, loads: readonly Load[]): void {
    const call = ++this.#last;
    const requests = loads.map(requestOf);
    this.#await(queue, loads, call, (service) => service.load(call, requests));
  }

  #await(
    queue: FileQueue,
    loads: readonly Load[],
    call: number,
    ask: (service: Remote<WorkerService>) => Promise<Loaded[]>,
    isRest = false,
  ): void {
    const { link } = this.#host;
    let isKnown = true; // to the worker
    const end = (answers: readonly Loaded[]) => {
      this.#host.settle(); // the writes before them
      // else the thread was lost as foreign code heard of those, and all are asked again
      if (this.#host.link === link) queue.answer(loads.slice(0, answers.length), answers);
      this.#host.pump();
    };
    const onAnswer = (answers: readonly Loaded[]) => {
      const rest = loads.slice(answers.length);
      // of this thread, whatever foreign code does to it in what follows: another one knows nothing of the call
      if (rest.length > 0) this.#await(queue, rest, call, (service) => service.loadRest(queue.id, call), true);
      end(answers);
    };
    const onFailure = (error: unknown) => {
      if (isKnown) link?.call((service) => service.leaveRest(queue.id, call));
      // none is asked again behind a write that was called after it
      if (loads.length > 1 && !queue.arePassed(loads)) {
        for (const load of loads) this.send(queue, [load]);
        return;
      }
      const failure: Failure = { code: 'io-error', cause: reportedOf(error) };
      end(loads.map(() => ({ failure })));
    };
    const onRefused = () => {
      isKnown = isRest;
    };
    link?.call(ask, onAnswer, onFailure, onRefused);
  }
}

function requestOf({ call: { member, operation, key, clock }, askedAt }: Load): LoadRequest {
  return [member.id, cellTime(askedAt), operation, key, clock];
}
