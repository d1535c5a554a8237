/** V8 does not count shared memory as a reason to collect garbage; an ordinary buffer that is garbage at once does count. */
export function accountFor(bytes: number): void {
  new ArrayBuffer(bytes);
}
