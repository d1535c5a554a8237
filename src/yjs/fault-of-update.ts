/** Whether bytes that come from elsewhere are an update of Yjs. */
import { keptAlive, type Merging } from '../documents/index.ts';
import { SDS_PersistenceError } from '../main/index.ts';
import { packOf } from '../protocol/packed-bytes.ts';
import { discard, type Parcel, seal } from '../protocol/parcel.ts';
import { EMPTY_BYTES } from '../protocol/yjs.ts';

/** What is wrong with them, as the merging thread finds it, or that it has not the memory to read them; `undefined` if they are one. */
export async function faultOfUpdate(merging: Merging, bytes: Uint8Array): Promise<string | undefined> {
  const load = async () => ({ parcel: seal([packOf(Uint8Array.from(bytes))]), patches: 1 });
  try {
    const merged = (await keptAlive(merging({ task: 'merge', isWaitedFor: true }, load))).merged as Parcel; // there were parts
    discard(merged);
    if (merged.length > EMPTY_BYTES || bytes.byteLength <= EMPTY_BYTES) return undefined;
    return 'is read as an update of Yjs with nothing in it; if it is one of version 2, convert it by Y.convertUpdateFormatV2ToV1';
  } catch (error) {
    if (!(error instanceof SDS_PersistenceError)) throw error;
    if (error.code === 'database-corrupt') return `is no update of Yjs (${(error.cause as Error).message})`;
    // what takes it all memory would take it the main thread as well; what else may become of a thread says nothing of an update
    if ((error.cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY')
      return `could not be read as an update of Yjs: ${error.message}; the option resourceLimits gives the thread more memory`;
    throw error;
  }
}
