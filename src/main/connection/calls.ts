/** What can't be gathered, as Comlink calls: large writes and loads. */
import { types } from 'node:util';
import { transfer } from 'comlink';
import { cellTime } from '../../protocol/clock.ts';
import { APPEND_PATCH, LOAD_PATCHES, LOAD_SNAPSHOT, SAVE_SNAPSHOT } from '../../protocol/entries.ts';
import type { LargeWrite } from '../queue/large-write.ts';
import type { Load, Loaded } from '../queue/load.ts';
import type { Session } from './session.ts';

/** Sends a write that has a slot for its outcome; `dropped` as in its ticket. */
export function callWrite(session: Session, write: LargeWrite, dropped: number, onAnswer: () => void): void {
  const { member, number, slot, flags, operation, key, clock, data, askedAt } = write;
  const ticket = { member: member.id, number, slot, flags, dropped, askedAt: cellTime(askedAt) };
  if (write.isGone) {
    session.call((service) => service.recall(ticket), onAnswer);
    return;
  }
  const bytes = types.isArrayBuffer(data.buffer) ? transfer(data, [data.buffer]) : data;
  session.call((service) => {
    if (operation === SAVE_SNAPSHOT) return service.saveSnapshot(ticket, bytes, clock);
    if (operation === APPEND_PATCH) return service.appendPatch(ticket, bytes, clock);
    return service.saveValue(ticket, key, bytes);
  }, onAnswer);
}

export function callLoad(session: Session, load: Load, onAnswer: (loaded: Loaded) => void): void {
  const { member, operation, key, clock, askedAt } = load;
  const ticket = { member: member.id, askedAt: cellTime(askedAt) };
  session.call<Loaded>((service) => {
    if (operation === LOAD_SNAPSHOT) return service.loadSnapshot(ticket);
    if (operation === LOAD_PATCHES) return service.loadPatchesSince(ticket, clock);
    return service.loadValue(ticket, key);
  }, onAnswer);
}
