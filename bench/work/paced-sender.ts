/**
 * The other process of the paced work: writes patches to its standard output at the pace that its standard
 * input asks for, one line "RATE COUNT BYTES" after the other, until that ends.
 *
 * Patches come independently of each other, as from many clients: gaps are exponentially distributed. What is
 * due when this process wakes goes out in one write, so one or a few arrive at a time.
 */
import { randomFillSync } from 'node:crypto';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

const STDOUT = 1;
/** More than are ever due at once, except after a hold-up. */
const MOST_AT_ONCE = 256;

const never = new Int32Array(new SharedArrayBuffer(4));

function writeAll(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(STDOUT, bytes, at);
}

function send(perSecond: number, count: number, patchBytes: number): void {
  const patches = randomFillSync(new Uint8Array(MOST_AT_ONCE * patchBytes));
  const gap = () => (-Math.log(1 - Math.random()) * 1000) / perSecond;
  let sent = 0;
  for (let dueAt = performance.now() + gap(); sent < count; ) {
    const early = dueAt - performance.now();
    if (early > 0) Atomics.wait(never, 0, 0, early);
    let due = 0;
    for (const now = performance.now(); dueAt <= now && due < Math.min(MOST_AT_ONCE, count - sent); due++)
      dueAt += gap();
    if (due > 0) writeAll(patches.subarray(0, due * patchBytes));
    sent += due;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [perSecond = 1, count = 0, patchBytes = 1] = line.split(' ').map(Number);
  send(perSecond, count, patchBytes);
}
