/** Where a thread for operations begins: it carries out one of them at a time, as the main thread asks for them. */
import { workerData } from 'node:worker_threads';
import type {
  OperationData,
  OperationName,
  OperationOutcome,
  OperationReply,
  OperationRequest,
  Operations,
} from '../../../protocol/operation-messages.ts';
import { keepsStatementsOpen } from '../../sqlite/node-sqlite.ts';
import { stepBack } from '../../thread.ts';
import { copyStores } from '../copying/copy.ts';
import { OperationError, toFailure } from '../failure.ts';
import { backup } from '../files/backup.ts';
import { compact } from '../files/compact.ts';
import { describe } from '../files/describe.ts';
import { verify } from '../files/verify.ts';
import { Progress } from '../progress.ts';
import { Throttle } from '../throttle.ts';

type Run<Given> = (given: Given, progress: Progress) => unknown;

const runs = { backup, verify, compact, describe, copy: copyStores } satisfies {
  [Name in OperationName]: Run<Operations[Name]['given']>;
};

const { cell, traffic, port } = workerData as OperationData;
const send = (reply: OperationReply) => port.postMessage(reply);
const throttle = new Throttle(traffic);
stepBack();
port.on('message', async (request: OperationRequest) => {
  // where closing a database leaves it open, only the end of the thread closes it; and a connection that is cut off while it is made
  // would keep the thread alive
  const endThread = request.operation === 'copy' || keepsStatementsOpen();
  send({ kind: 'end', outcome: await answer(request, new Progress(cell, throttle, send)), endThread });
  if (endThread) process.exit(); // of this thread
});

async function answer({ operation, given }: OperationRequest, progress: Progress): Promise<OperationOutcome> {
  try {
    return { kind: 'done', result: await (runs[operation] as Run<object>)(given, progress) };
  } catch (error) {
    // what was cut off because the caller wants no more fails in many ways
    if (progress.isStopped) return { kind: 'stopped' };
    const failure = toFailure(error, given.path);
    if (!(failure instanceof OperationError)) throw failure;
    const { code, message, reported } = failure;
    return { kind: 'failed', code, path: failure.path, detail: message, cause: reported };
  }
}
