/** What can't be gathered, as Comlink calls: large writes and loads. */

import { types } from 'node:util';
import { transfer } from 'comlink';
import { cellTime } from '../../protocol/clock.ts';
import { failureOf, reportedOf } from '../../protocol/errors.ts';
import type { Loaded } from '../../protocol/service.ts';
import { drop } from '../queue/found.ts';
import type { LargeWrite } from '../queue/large-write.ts';
import type { Load } from '../queue/load.ts';
import type { WorkerLink } from './worker-link.ts';

/** Sends a write that has a slot for its outcome; `dropped` as in its ticket. `onFailure` is told if it never got there. */
export function callWrite(
  link: WorkerLink,
  write: LargeWrite,
  dropped: number,
  onAnswer: () => void,
  onFailure: (error: unknown) => void,
): void {
  const { number, slot, flags, data, lost, watched } = write;
  const { member, operation, key, clock } = write.call;
  const ticket = { member: member.id, number, slot, flags, dropped, askedAt: cellTime(watched.begunAt) };
  const { buffer } = data;
  const isShared = types.isSharedArrayBuffer(buffer);
  const given = isShared ? data : lost === undefined ? transfer(data, [buffer]) : failureOf(lost);
  const onPosted = () => {
    write.posted = true;
  };
  link.call((service) => service.write(ticket, operation, key, clock, given), onAnswer, onFailure, undefined, onPosted);
  write.parcelIsGone = !isShared && !types.isArrayBuffer(buffer);
}

export function callLoad(link: WorkerLink, load: Load, onAnswer: (loaded: Loaded) => void): void {
  const { member, operation, key, clock } = load.call;
  const ticket = { member: member.id, askedAt: cellTime(load.askedAt) };
  const onFailure = (error: unknown) => onAnswer({ failure: { code: 'io-error', cause: reportedOf(error) } });
  link.call((service) => service.load(ticket, operation, key, clock), onAnswer, onFailure, drop);
}
