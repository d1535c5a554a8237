/** What the suites of the contract ask of `expect`, for frameworks that have none. */
import assert from 'node:assert/strict';

export function expect(value: unknown, message?: string) {
  return {
    toBe: (expected: unknown) => assert.equal(value, expected, message),
    toBeUndefined: () => assert.equal(value, undefined, message),
    toEqual: (expected: unknown) => assert.deepEqual(value, expected, message),
    toHaveLength: (expected: number) => assert.equal((value as ArrayLike<unknown>).length, expected, message),
  };
}
