/** Bytes that are too long to be gathered: they cross beside the batch of their write, through Comlink. */

import { types } from 'node:util';
import type { SDS_PersistenceError } from '../../protocol/errors.ts';
import type { Parcel } from '../../protocol/parcel.ts';
import type { Bytes } from '../../protocol/service.ts';
import type { BlockPool } from '../memory/block-pool.ts';
import { takeOver } from '../transfer.ts';

const noBytes = new ArrayBuffer(0);

export class LargeBytes {
  readonly data: Bytes;
  /** Why no worker can be given them, if so: the write fails in its place, and calls behind it are carried out after that. */
  lost: SDS_PersistenceError | undefined;
  readonly #blocks: BlockPool;

  /** @throws where there is no memory for a copy */
  constructor(data: Uint8Array | Parcel, length: number, handedOver: boolean, blocks: BlockPool) {
    this.#blocks = blocks;
    this.data = bytesFor(data, length, handedOver, blocks);
  }

  /** Whether this side keeps them: what is handed over to a worker is lost with it. */
  get isShared(): boolean {
    return types.isSharedArrayBuffer(this.data.buffer);
  }

  /** A worker may still be looking at what it has not finished. */
  giveBack(finished: boolean): void {
    const { buffer } = this.data;
    if (!types.isSharedArrayBuffer(buffer)) return;
    if (finished) this.#blocks.giveBack(buffer);
    else this.#blocks.abandon(buffer);
    this.data.buffer = noBytes; // whoever still holds this holds no block that may be dropped
  }
}

/** The bytes as they cross; copied into shared memory where they are not handed over, so that a lost worker does not lose them. */
function bytesFor(data: Uint8Array | Parcel, length: number, handedOver: boolean, blocks: BlockPool): Bytes {
  if (!types.isUint8Array(data)) return { buffer: data.port, start: 0, length };
  const taken = handedOver ? takeOver(data) : undefined;
  if (taken !== undefined) return taken;
  const buffer = blocks.take(length);
  new Uint8Array(buffer).set(data);
  return { buffer, start: 0, length };
}
