/** A parcel that brings nothing is a failure of its call: as an empty snapshot, it would replace all that a store has. */
import { expect, it } from 'vitest';
import { COMPACT_STORE } from '../../src/protocol/entries.ts';
import { type Parcel, seal } from '../../src/protocol/parcel.ts';
import { blockOf } from '../../src/protocol/patch-blocks.ts';
import { LargeWriteCursor } from '../../src/worker/channel/large-write-cursor.ts';
import { aCaller } from '../support/a-caller.ts';

const ticket = { member: 0, askedAt: 0, number: 1, slot: 0, flags: 0, dropped: 0 };

function written({ port, length }: Parcel): LargeWriteCursor {
  const bytes = { buffer: port, start: 0, length };
  const write = new LargeWriteCursor(ticket, COMPACT_STORE, aCaller, '', 1, bytes, new Int32Array(1));
  write.next();
  return write;
}

it('a parcel without a block is no snapshot of no bytes', () => {
  expect(() => written(seal([])).data).toThrow(/no bytes/);
});

it('a snapshot of no bytes is one all the same', () => {
  expect(written(seal([blockOf(new Uint8Array())])).data).toEqual(new Uint8Array());
});
