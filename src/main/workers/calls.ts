/** What can't be gathered, as Comlink calls: large writes and loads. */

import { types } from 'node:util';
import { transfer } from 'comlink';
import { cellTime } from '../../protocol/clock.ts';
import { failureOf, reportedOf } from '../../protocol/errors.ts';
import type { Loaded } from '../../protocol/service.ts';
import type { Batch } from '../queue/batch.ts';
import { drop } from '../queue/found.ts';
import type { LargeBytes } from '../queue/large-bytes.ts';
import type { Load } from '../queue/load.ts';
import type { WorkerLink } from './worker-link.ts';

/** Sends a batch with its large bytes; `dropped` as in its ticket. `onFailure` is told if it never got there. */
export function callWrite(
  link: WorkerLink,
  file: number,
  { number, firstSlab, watched }: Batch,
  large: LargeBytes,
  dropped: number,
  onAnswer: () => void,
  onFailure: (error: unknown) => void,
): void {
  const ticket = { file, number, firstSlab, askedAt: cellTime(watched.begunAt), dropped };
  const { data, lost } = large;
  const isShared = types.isSharedArrayBuffer(data.buffer);
  const given = isShared ? data : lost === undefined ? transfer(data, [data.buffer]) : failureOf(lost);
  const onPosted = () => {
    large.posted = true;
  };
  link.call((service) => service.write(ticket, given), onAnswer, onFailure, undefined, onPosted);
  large.parcelIsGone = !isShared && !large.mayGoDown;
}

export function callLoad(link: WorkerLink, load: Load, onAnswer: (loaded: Loaded) => void): void {
  const { member, operation, key, clock } = load.call;
  const ticket = { member: member.id, askedAt: cellTime(load.askedAt) };
  const onFailure = (error: unknown) => onAnswer({ failure: { code: 'io-error', cause: reportedOf(error) } });
  link.call((service) => service.load(ticket, operation, key, clock), onAnswer, onFailure, drop);
}
