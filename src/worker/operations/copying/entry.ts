/** Where a worker that moves stores begins: from or to a PostgreSQL database, or from several sources. It does so once. */
import { parentPort, workerData } from 'node:worker_threads';
import {
  type MaintenanceData,
  type MaintenanceReply,
  type MaintenanceRequest,
  type MoveTask,
  STOP,
} from '../../../protocol/operations.ts';
import { OperationError, Stopped, toFailure } from '../failure.ts';
import { Progress } from '../progress.ts';
import { stepBack } from '../step-back.ts';
import { MakingRoom } from '../throttle.ts';
import { move } from './copy.ts';

async function answer(given: MoveTask, progress: Progress): Promise<MaintenanceReply> {
  const endThread = true;
  try {
    return { kind: 'done', result: await move(given, progress), endThread };
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
  const { cells, traffic } = workerData as MaintenanceData;
  const progress = new Progress(
    cells,
    new MakingRoom(traffic),
    (told) => port.postMessage({ kind: 'progress', progress: told } satisfies MaintenanceReply),
    () => {},
  );
  stepBack();
  port.once('message', async ({ given }: MaintenanceRequest) => {
    progress.begin();
    port.postMessage(await answer(given as MoveTask, progress));
    // of this thread: a connection that is cut off while it is made would keep it alive
    process.exit();
  });
}
