/** Where a worker for operations on whole files begins: it carries out one at a time, without a turn of its event loop in between. */
import { parentPort, workerData } from 'node:worker_threads';
import type {
  OperationData,
  OperationReply,
  OperationRequest,
  OperationTask,
  OperationTasks,
} from '../../../protocol/operation-messages.ts';
import { keepsStatementsOpen } from '../../sqlite/node-sqlite.ts';
import { ChangedMeanwhile, OperationError, Stopped, toFailure } from '../failure.ts';
import { Progress } from '../progress.ts';
import { stepBack } from '../step-back.ts';
import { Throttle } from '../throttle.ts';
import { backup } from './backup.ts';
import { compact } from './compact.ts';
import { describe } from './describe.ts';
import { checkRows, checkStructure } from './verify.ts';

const tasks: {
  [Task in Exclude<OperationTask, 'copy'>]: (
    given: OperationTasks[Task]['given'],
    progress: Progress,
  ) => OperationTasks[Task]['result'];
} = {
  backup: (given, progress) => backup({ ...given, verify: false }, progress),
  restore: (given, progress) => backup({ ...given, pagesPerStep: 1024 }, progress),
  structure: checkStructure,
  rows: checkRows,
  compact,
  describe,
};

function answer({ task, given }: OperationRequest, progress: Progress, endThread: boolean): OperationReply {
  try {
    const run = tasks[task as keyof typeof tasks] as (given: object, progress: Progress) => unknown;
    return { kind: 'done', result: run(given, progress), endThread };
  } catch (error) {
    if (error instanceof Stopped) return { kind: 'stopped', endThread };
    const paths = given as { path?: string; source?: string };
    const failure = toFailure(error, paths.path ?? paths.source ?? '');
    if (!(failure instanceof OperationError)) throw failure;
    const { code, path, message, reported } = failure;
    const changed = failure instanceof ChangedMeanwhile;
    return { kind: 'failed', code, path, detail: message, cause: reported, changed, endThread };
  }
}

if (parentPort !== null) {
  const port = parentPort;
  const send = (reply: OperationReply) => port.postMessage(reply);
  const { cells, traffic } = workerData as OperationData;
  const progress = new Progress(
    cells,
    new Throttle(traffic),
    (told, gauge) => send({ kind: 'progress', progress: told, ...(gauge === undefined ? {} : { gauge }) }),
    (way) => send({ kind: 'opened', way }),
  );
  stepBack();
  // where closing a database leaves it open, only the end of the thread closes it
  const endThread = keepsStatementsOpen();
  port.on('message', (request: OperationRequest) => {
    progress.begin();
    send(answer(request, progress, endThread));
    if (endThread) port.close();
  });
}
