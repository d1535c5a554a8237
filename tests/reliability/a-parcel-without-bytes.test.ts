/** A parcel that brings nothing is a failure of its call: as an empty snapshot, it would replace all that a store has. */
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { packOf } from '../../src/protocol/packed-bytes.ts';
import { type Parcel, seal } from '../../src/protocol/parcel.ts';
import { ReceivedBytes } from '../../src/worker/channel/received-bytes.ts';

function written({ port, length }: Parcel): ReceivedBytes {
  return new ReceivedBytes({ buffer: port, start: 0, length }, () => {});
}

it('a parcel without a pack is no snapshot of no bytes', () => {
  expect(() => written(seal([])).data).toThrow(/no bytes/);
});

it('a snapshot of no bytes is one all the same', () => {
  expect(written(seal([packOf(new Uint8Array())])).data).toEqual(new Uint8Array());
});

it('the bytes of a parcel are there for a second attempt, too', () => {
  const bytes = written(seal([packOf(new Uint8Array(10))]));
  expect(bytes.data).toEqual(new Uint8Array(10));
  expect(bytes.data).toEqual(new Uint8Array(10));
});

it('the bytes of a parcel that nobody has opened are let go of with their call', async () => {
  const parcel = seal([packOf(new Uint8Array(10))]);
  const closed = once(parcel.port, 'close');
  written(parcel).free();
  await closed;
});
