/** The thread that merges documents: one task at a time, as the main thread asks for them. */
import { type MessagePort, workerData } from 'node:worker_threads';
import { reportedOf } from '../../protocol/errors.ts';
import type { MergeReply, MergeRequest } from '../../protocol/merge-messages.ts';
import { mergeParcel } from '../../protocol/merge-parcel.ts';
import { discard } from '../../protocol/parcel.ts';
import { stepBack } from '../thread.ts';
import { load, MissingModule } from './modules.ts';

const { port } = workerData as { port: MessagePort };
stepBack();
port.on('message', async (request: MergeRequest) => {
  const reply = await answer(request);
  discard(request.parts);
  port.postMessage(reply, 'merged' in reply ? [reply.merged.port] : []);
});

async function answer({ source, order, parts }: MergeRequest): Promise<MergeReply> {
  try {
    const { [order.task]: merge } = await load(source);
    if (merge === undefined) throw new MissingModule(`the module has no function '${order.task}'`);
    return { merged: await mergeParcel(merge, order, parts) };
  } catch (error) {
    return { failure: reportedOf(error), missing: error instanceof MissingModule };
  }
}
