/** Settles what the worker has finished: reads what became of each call, and gives the memory back. */

import type { Arena } from '../../protocol/arena.ts';
import {
  ENTRY_DATA_LENGTH,
  ENTRY_KEY_LENGTH,
  ENTRY_NO_EFFECT,
  ENTRY_SETTLER,
  entryBytes,
  FIRST_ERROR,
  flagsOf,
  outcomeOf,
} from '../../protocol/entries.ts';
import { errorCodes, makeError, reviveError, type SDS_PersistenceError } from '../../protocol/errors.ts';
import type { Loaded } from '../../protocol/service.ts';
import { BATCH_FAILED, BATCH_NO_EFFECT, SLAB_FLAGS, SLAB_HEADER, SLAB_USED, usedOf } from '../../protocol/slabs.ts';
import { Promise } from '../../protocol/surroundings.ts';
import { tellOfError } from '../observe/channels.ts';
import type { FileObserver } from '../observe/file-observer.ts';
import { warnOfLoss } from '../observe/warnings.ts';
import type { Batch } from './batch.ts';
import { partsOf } from './found.ts';
import type { Item, Load } from './in-flight.ts';
import type { Settler } from './member.ts';
import type { BatchHost } from './open-batch.ts';

type Failures = Map<number, SDS_PersistenceError>;

export type GiveUpReason = (call: string) => SDS_PersistenceError;

/** The file whose calls are settled. */
export interface Settled {
  readonly id: number;
  readonly dbPath: string;
  readonly observer: FileObserver;
  readonly host: BatchHost;
  /** Whoever waits for that batch is about to hear what became of it. */
  isTold(batch: Batch, hasFailed: boolean): void;
}

export function settleBatch(batch: Batch, queue: Settled): void {
  endBatch(batch, failuresOf(batch, queue), true, queue);
}

/** Its memory goes back first: a promise may be told of room. */
function endBatch(batch: Batch, failed: Failures | undefined, finished: boolean, queue: Settled): void {
  queue.host.memory.largeBytes -= batch.large?.data.length ?? 0;
  batch.large?.giveBack(finished);
  for (const slab of batch.slabs) queue.host.memory.giveBackSlab(slab);
  batch.settled = true;
  if (batch.isWaitedFor) queue.host.noLongerWaitedFor();
  const first = failed?.values().next().value;
  queue.host.settled(first?.code === 'database-busy' && failed?.size === batch.settlers.length);
  queue.observer.ended(batch, first !== undefined);
  // told before anybody goes on
  if (first !== undefined) tellOfError(first, queue.dbPath);
  batch.trace?.end({ Patches: batch.patches, Bytes: batch.patchBytes }, first);
  queue.isTold(batch, failed !== undefined);
  const { settlers } = batch;
  // by index: this runs for each promise, and iterators of pairs are garbage that holds up the event loop
  for (let index = 0; index < settlers.length; index++) {
    const settler = settlers[index] as Settler; // index is below the length
    const { member, operation } = settler.call;
    if (member.store.run?.batch === batch) member.store.run = undefined;
    const error = failed?.get(index);
    settler.ended?.(error === undefined);
    if (error !== undefined) {
      member.writeFailed(settler, error, batch);
      warnOfLoss(member.dbPath, member.storeId, error);
      settler.reject(error);
      continue;
    }
    member.succeeded(operation);
    settler.resolve(operation === 'compactStore' ? settler.hadNoEffect !== true : undefined);
  }
}

/** The errors by settler; nearly always there are none and nothing is looked at. */
function failuresOf(batch: Batch, queue: Settled): Failures | undefined {
  const { arena } = queue.host.memory;
  const flags = arena.cell((batch.firstSlab >> 2) + SLAB_FLAGS);
  if ((flags & (BATCH_FAILED | BATCH_NO_EFFECT)) === 0) return undefined;
  const failed: Failures = new Map();
  for (const at of entriesOf(batch, arena)) {
    const cell = at >> 2;
    const word = arena.cell(cell);
    const index = arena.cell(cell + ENTRY_SETTLER);
    const settler = batch.settlers[index] as Settler; // each entry was written with its settler
    const { member, operation } = settler.call;
    if (flagsOf(word) & ENTRY_NO_EFFECT) {
      if (operation === 'appendPatch') member.collided();
      else settler.hadNoEffect = true;
    }
    const outcome = outcomeOf(word);
    if (outcome < FIRST_ERROR || failed.has(index)) continue;
    const code = errorCodes[outcome - FIRST_ERROR] ?? 'io-error';
    const cause = queue.host.channel.errorBoard.causeOf(queue.id, batch.number, index, outcome);
    failed.set(index, batch.large?.lost ?? makeError(code, operation, queue.dbPath, undefined, cause));
  }
  return failed;
}

/** Where each entry of a complete batch starts in the arena. */
function* entriesOf(batch: Batch, arena: Arena): Generator<number> {
  for (const slab of batch.slabs) {
    const end = slab + usedOf(arena.cell((slab >> 2) + SLAB_USED));
    for (let at = slab + SLAB_HEADER; at < end; ) {
      yield at;
      at += entryBytes(arena.cell((at >> 2) + ENTRY_KEY_LENGTH), arena.cell((at >> 2) + ENTRY_DATA_LENGTH));
    }
  }
}

export async function settleLoad(load: Load, loaded: Loaded, queue: Settled): Promise<void> {
  const { call, answer, trace } = load;
  if ('failure' in loaded) {
    refuse(load, (call) => reviveError(loaded.failure, call, queue.dbPath), queue);
    return;
  }
  trace?.end({});
  call.member.loaded();
  try {
    const parts = partsOf(loaded.found);
    answer.resolve(parts instanceof Promise ? await parts : parts);
  } catch (error) {
    answer.reject(makeError('io-error', call.operation, queue.dbPath, 'there is no memory for what was found', error));
  }
}

/** Rejects what was not finished. */
export function refuse(item: Item, reason: GiveUpReason, queue: Settled): void {
  if (item.kind === 'batch') {
    const failed = new Map(item.settlers.map(({ call }, index) => [index, reason(call.operation)]));
    endBatch(item, failed, false, queue);
    return;
  }
  const { member, operation } = item.call;
  const error = reason(operation);
  tellOfError(error, queue.dbPath);
  item.trace?.end({}, error);
  member.failed(operation, error, item.place);
  item.answer.reject(error);
}
