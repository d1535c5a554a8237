/** Where a worker that copies stores begins: between files and PostgreSQL databases. It does so once. */
import { parentPort, workerData } from 'node:worker_threads';
import {
  type CopyTask,
  type OperationData,
  type OperationReply,
  type OperationRequest,
  STOP,
} from '../../../protocol/operation-messages.ts';
import { OperationError, Stopped, toFailure } from '../failure.ts';
import { Progress } from '../progress.ts';
import { stepBack } from '../step-back.ts';
import { Throttle } from '../throttle.ts';
import { copyStores } from './copy.ts';

async function answer(given: CopyTask, progress: Progress): Promise<OperationReply> {
  const endThread = true;
  try {
    return { kind: 'done', result: await copyStores(given, progress), endThread };
  } catch (error) {
    // what was cut off since the caller wants no more fails in many ways
    if (error instanceof Stopped || Atomics.load(progress.cells, STOP) !== 0) return { kind: 'stopped', endThread };
    const failure = toFailure(error, given.path);
    if (!(failure instanceof OperationError)) throw failure;
    const { code, path, message, reported } = failure;
    return { kind: 'failed', code, path, detail: message, cause: reported, changed: false, endThread };
  }
}

if (parentPort !== null) {
  const port = parentPort;
  const { cells, traffic } = workerData as OperationData;
  const progress = new Progress(
    cells,
    new Throttle(traffic),
    (told) => port.postMessage({ kind: 'progress', progress: told } satisfies OperationReply),
    () => {},
  );
  stepBack();
  port.once('message', async ({ given }: OperationRequest) => {
    progress.begin();
    port.postMessage(await answer(given as CopyTask, progress));
    // of this thread: a connection that is cut off while it is made would keep it alive
    process.exit();
  });
}
