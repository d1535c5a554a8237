/** A write whose bytes are too long to be gathered: it crosses by itself, through Comlink. */

import { types } from 'node:util';
import { ENTRY_ACKNOWLEDGED, SAVE_VALUE } from '../../protocol/entries.ts';
import type { SDS_PersistenceError } from '../../protocol/errors.ts';
import type { Parcel } from '../../protocol/parcel.ts';
import type { Bytes } from '../../protocol/service.ts';
import type { BlockPool } from '../memory/block-pool.ts';
import type { Watched } from '../observe/file-observer.ts';
import { takeOver } from '../transfer.ts';
import { bufferOf, startOf } from '../view.ts';
import type { Call, Settling, Watcher } from './member.ts';

/** It has no slot for its outcome yet. */
export const NO_SLOT = -1;

/** So many of the bytes; copied into shared memory where they are not handed over, so that a lost worker does not lose them. */
export function bytesFor(data: Uint8Array | Parcel, length: number, handedOver: boolean, blocks: BlockPool): Bytes {
  if (!types.isUint8Array(data)) return { buffer: data.port, start: 0, length };
  const taken = handedOver ? takeOver(data) : undefined;
  if (taken !== undefined) return taken;
  const buffer = blocks.take(length);
  // a view of its own: another thread may make shared memory, and so the caller's view of it, larger at any moment
  new Uint8Array(buffer, 0, length).set(new Uint8Array(bufferOf(data), startOf(data), length));
  return { buffer, start: 0, length };
}

export class LargeWrite {
  readonly kind = 'write';
  /** Its number in the file's order; wraps at 32 bits. */
  readonly number: number;
  readonly call: Call;
  readonly data: Bytes;
  /** As those of an entry. */
  readonly flags: number;
  /** Whether its promise resolves at the call. */
  readonly isAcknowledged: boolean;
  readonly settlers: Settling;
  sent = false;
  /** Whether the worker will hear of it. */
  posted = false;
  /** Why no worker can be given its bytes, if so: it fails in its place, so that calls behind it are not carried out as if it were stored. */
  lost: SDS_PersistenceError | undefined;
  /** Whether a parcel went to a worker: its port does not tell. */
  parcelIsGone = false;
  /** Where the worker notes what became of it. */
  slot = NO_SLOT;
  readonly watchers: Watcher[] = [];
  readonly watched: Watched;

  constructor(number: number, call: Call, data: Bytes, flags: number, settlers: Settling, watched: Watched) {
    this.number = number;
    this.call = call;
    this.data = data;
    this.settlers = settlers;
    this.watched = watched;
    // a value that is handed over would be lost with its worker
    const mayGoDown = call.operation === SAVE_VALUE && types.isArrayBuffer(data.buffer);
    this.isAcknowledged = !mayGoDown && call.member.acknowledgesQueued(call);
    this.flags = this.isAcknowledged ? flags | ENTRY_ACKNOWLEDGED : flags;
    if (this.isAcknowledged) this.settlers.reject = (error) => call.member.failedUnheard(error, call);
  }

  /** Whether its bytes were handed over to a worker: if that one is lost, so are they. */
  get isGone(): boolean {
    const { buffer } = this.data;
    return types.isArrayBuffer(buffer) ? buffer.detached : this.parcelIsGone;
  }
}
