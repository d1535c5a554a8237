/** Puts together what `statistics()` returns. */
import { statSync } from 'node:fs';
import { ifPossible } from '../protocol/if-possible.ts';
import type { SDS_Statistics } from '../protocol/statistics.ts';
import type { FileQueue } from './queue/file-queue.ts';
import type { Member } from './queue/member.ts';

export function statisticsOf(
  { storeId, collisions }: Member,
  { location, observer }: FileQueue,
  Worker: SDS_Statistics['Worker'],
): SDS_Statistics {
  const { path, transient, server } = location;
  const isFile = !transient && server === undefined;
  const { appended, appendedBytes, settled, settledBytes, failed, failedBytes, delays } = observer;
  return {
    Path: path,
    StoreId: storeId,
    Patches: sums(appended, settled, failed),
    PatchBytes: sums(appendedBytes, settledBytes, failedBytes),
    Batches: { Finished: observer.batches, Failed: observer.failedBatches, WaitedFor: observer.waitedForBatches },
    CommitDelayMs: { P50: delays.percentile(0.5), P99: delays.percentile(0.99), Max: delays.most },
    Held: { Calls: observer.heldCalls, DurationMs: observer.heldMs },
    ClockCollisions: collisions,
    Worker,
    FileBytes: isFile ? sizeOf(path) : 0,
    LogBytes: isFile ? sizeOf(`${path}-wal`) : 0,
  };
}

function sums(appended: number, settled: number, failed: number): SDS_Statistics['Patches'] {
  return { Appended: appended, Pending: appended - settled, Committed: settled - failed, Failed: failed };
}

/** 0 for what is out of reach: calls on the file tell why. */
function sizeOf(path: string): number {
  return ifPossible(() => statSync(path, { throwIfNoEntry: false })?.size) ?? 0;
}
