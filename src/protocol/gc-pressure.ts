/**
 * V8 does not count shared memory as a reason to collect garbage: forty dropped blocks of 32 MB stay for
 * ever (measured on 22.5 to 26). An ordinary buffer that is garbage at once does count, and costs no
 * memory, because nothing is written to it. Both threads make one for what is dropped: each has views of it.
 */

/** V8 begins to collect once there is so much more beside its heap than after the last time. */
const ENOUGH_TO_COLLECT = 64 * 1024 * 1024;

/** Bytes of shared memory that are garbage now: one reason more to collect it. */
export function accountFor(bytes: number): void {
  try {
    new ArrayBuffer(bytes);
  } catch {
    // no room even for that: V8 has then tried to make some by collecting garbage, which is all that was wanted
  }
}

/** The same, where nothing else may come for long: garbage is collected soon. */
export function accountForAtOnce(bytes: number): void {
  accountFor(bytes + ENOUGH_TO_COLLECT);
}
