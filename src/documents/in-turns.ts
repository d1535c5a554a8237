/** Loads and merges one document at a time. */
import type { MergeOrder } from '../protocol/merging.ts';
import { discard, type Parcel } from '../protocol/parcel.ts';
import type { Promise } from '../protocol/surroundings.ts';
import { type Merging, NoMergeModule } from './merging.ts';
import type { Turns } from './turns.ts';

type Merge = (order: MergeOrder, parts: Parcel, isWaitedFor: boolean) => Promise<Parcel>;

/** @param merge - if it throws `NoMergeModule`, it finds another way the next time */
export function inTurns(turns: Turns, merge: Merge): Merging {
  const run: Merging['run'] = async (order, load, isWaitedFor) => {
    const parts = await load();
    if (parts === undefined) return undefined;
    try {
      return await merge(order, parts, isWaitedFor);
    } finally {
      discard(parts);
    }
  };
  return {
    run: (order, load, isWaitedFor) =>
      turns.take(isWaitedFor, async () => {
        try {
          return await run(order, load, isWaitedFor);
        } catch (error) {
          if (!(error instanceof NoMergeModule)) throw error;
          return await run(order, load, isWaitedFor);
        }
      }),
  };
}
