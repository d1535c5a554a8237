/** Patches whose bytes follow from their store and number, so that any process can check them. */

/** Mostly short, now and then too long for the shared slabs. */
export function patchOf(store: number, clock: number): Buffer {
  const length = clock % 997 === 0 ? 150_000 : 20 + ((clock * 7919) % 300);
  const patch = Buffer.alloc(length, `${store}:${clock};`);
  patch.writeUInt32LE(clock >>> 0, 0);
  return patch;
}
