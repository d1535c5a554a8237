/** Skips a test, and says why: the reporter would keep that to itself. */
import type { TestContext } from 'vitest';

/** @param reason - with how to have what it needs */
export function leaveOut(context: TestContext, reason: string): never {
  console.warn(`left out: ${reason}`);
  return context.skip(reason);
}
