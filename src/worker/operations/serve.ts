/** What a thread for operations does: it carries out one at a time, as the main thread asks for them. */
import { workerData } from 'node:worker_threads';
import type {
  OperationData,
  OperationOutcome,
  OperationReply,
  OperationRequest,
} from '../../protocol/operation-messages.ts';
import { stepBack } from '../thread.ts';
import { OperationError, Stopped, toFailure } from './failure.ts';
import { Progress } from './progress.ts';
import { Throttle } from './throttle.ts';

/** @param endThread - whether only the end of the thread closes what a task has opened */
export function serve(run: (request: OperationRequest, progress: Progress) => unknown, endThread: boolean): void {
  const { cell, traffic, port } = workerData as OperationData;
  const send = (reply: OperationReply) => port.postMessage(reply);
  const throttle = new Throttle(traffic);
  stepBack();
  port.on('message', async (request: OperationRequest) => {
    send({ kind: 'end', outcome: await answer(request, new Progress(cell, throttle, send)), endThread });
    // of this thread: a connection that is cut off while it is made would keep it alive
    if (endThread) process.exit();
  });

  async function answer(request: OperationRequest, progress: Progress): Promise<OperationOutcome> {
    try {
      return { kind: 'done', result: await run(request, progress) };
    } catch (error) {
      // what was cut off since the caller wants no more fails in many ways
      if (error instanceof Stopped || progress.isStopped) return { kind: 'stopped' };
      const failure = toFailure(error, request.given.path);
      if (!(failure instanceof OperationError)) throw failure;
      const { code, message, reported } = failure;
      return { kind: 'failed', code, path: failure.path, detail: message, cause: reported };
    }
  }
}
