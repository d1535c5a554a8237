/** What can't be gathered, as Comlink calls: large writes and loads. */
import { types } from 'node:util';
import { type Remote, transfer } from 'comlink';
import { cellTime } from '../../protocol/clock.ts';
import { APPEND_PATCH, LOAD_PATCHES, LOAD_SNAPSHOT, SAVE_SNAPSHOT } from '../../protocol/entries.ts';
import { reportedOf } from '../../protocol/errors.ts';
import type { WorkerService } from '../../protocol/service.ts';
import type { LargeWrite } from '../queue/large-write.ts';
import type { Load, Loaded } from '../queue/load.ts';
import type { WorkerLink } from './worker-link.ts';

/** Sends a write that has a slot for its outcome; `dropped` as in its ticket. `onFailure` is told if it never got there. */
export function callWrite(
  link: WorkerLink,
  write: LargeWrite,
  dropped: number,
  onAnswer: () => void,
  onFailure: (error: unknown) => void,
): void {
  const { member, number, slot, flags, operation, key, clock, data, askedAt } = write;
  const ticket = { member: member.id, number, slot, flags, dropped, askedAt: cellTime(askedAt) };
  if (write.isGone) {
    link.call((service) => service.recall(ticket, operation), onAnswer);
    return;
  }
  const bytes = types.isArrayBuffer(data.buffer) ? transfer(data, [data.buffer]) : data;
  const call = (service: Remote<WorkerService>) => {
    if (operation === SAVE_SNAPSHOT) return service.saveSnapshot(ticket, bytes, clock);
    if (operation === APPEND_PATCH) return service.appendPatch(ticket, bytes, clock);
    return service.saveValue(ticket, key, bytes);
  };
  link.call(call, onAnswer, onFailure);
}

export function callLoad(link: WorkerLink, load: Load, onAnswer: (loaded: Loaded) => void): void {
  const { member, operation, key, clock, askedAt } = load;
  const ticket = { member: member.id, askedAt: cellTime(askedAt) };
  const call = (service: Remote<WorkerService>): Promise<Loaded> => {
    if (operation === LOAD_SNAPSHOT) return service.loadSnapshot(ticket);
    if (operation === LOAD_PATCHES) return service.loadPatchesSince(ticket, clock);
    return service.loadValue(ticket, key);
  };
  link.call(call, onAnswer, (error) => onAnswer({ failure: { code: 'io-error', cause: reportedOf(error) } }));
}
