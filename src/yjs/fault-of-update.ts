/** Whether bytes that come from elsewhere are an update of Yjs. */
import { keptAlive, type Merging } from '../documents/index.ts';
import { SDS_PersistenceError } from '../main/index.ts';
import { packOf } from '../protocol/packed-bytes.ts';
import { discard, type Parcel, seal } from '../protocol/parcel.ts';
import { isReadAsNothing, READ_AS_NOTHING } from '../protocol/yjs.ts';

/** What is wrong with them that needs no merging thread to find; `undefined` if it is nothing. */
export function faultAtFirstSight(bytes: Uint8Array, name: string): string | undefined {
  if (bytes.byteLength === 0) return `${name} has no bytes, which is no update`;
  return isReadAsNothing(bytes) ? `${name} is ${READ_AS_NOTHING}` : undefined;
}

/** What is wrong with them, as the merging thread finds it, or that it has not the memory to read them; `undefined` if they are one. */
export async function faultOfUpdate(merging: Merging, bytes: Uint8Array): Promise<string | undefined> {
  const load = async () => ({ parcel: seal([packOf(Uint8Array.from(bytes))]), patches: 1 });
  try {
    discard((await keptAlive(merging({ task: 'merge', isWaitedFor: true }, load))).merged as Parcel); // there were parts
    return undefined;
  } catch (error) {
    if (!(error instanceof SDS_PersistenceError)) throw error;
    if (error.code === 'database-corrupt') return `is no update of Yjs (${(error.cause as Error).message})`;
    // what takes it all memory would take it the main thread as well; what else may become of a thread says nothing of an update
    if ((error.cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY')
      return `could not be read as an update of Yjs: ${error.message}; the option resourceLimits gives the thread more memory`;
    throw error;
  }
}
