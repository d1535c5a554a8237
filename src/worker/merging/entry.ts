/** The thread that merges documents: one task at a time, as the main thread asks for them. */
import { parentPort } from 'node:worker_threads';
import { reportedOf } from '../../protocol/errors.ts';
import type { MergeReply, MergeRequest } from '../../protocol/merging.ts';
import { discard, open, seal } from '../../protocol/parcel.ts';
import { blockOf, viewsOf } from '../../protocol/patch-blocks.ts';
import { stepBack } from '../operations/step-back.ts';
import { load, MissingModule } from './modules.ts';

stepBack();
parentPort?.on('message', async (request: MergeRequest) => {
  const reply = await answer(request);
  discard(request.parts);
  parentPort?.postMessage(reply, 'merged' in reply ? [reply.merged.port] : []);
});

async function answer({ source, task, parts, against }: MergeRequest): Promise<MergeReply> {
  try {
    const { [task]: merge } = await load(source);
    if (merge === undefined) throw new MissingModule(`the module has no function '${task}'`);
    return { merged: seal([blockOf(ownBytes(await merge(viewsOf(open(parts)), against)))]) };
  } catch (error) {
    return { failure: reportedOf(error), missing: error instanceof MissingModule };
  }
}

/** In a buffer of its own, to be handed over: a module may return a part of one that it goes on using. */
function ownBytes(merged: unknown): Uint8Array {
  if (!(merged instanceof Uint8Array)) throw new TypeError(`a merge must return a Uint8Array, not ${typeof merged}`);
  const { buffer, byteLength } = merged;
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  return isWhole && Object.getPrototypeOf(merged) === Uint8Array.prototype ? merged : Uint8Array.from(merged);
}
