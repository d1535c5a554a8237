/** A file that is busy is waited for, however many providers it has. */
import { expect, it } from 'vitest';
import { type Caller, EngineError } from '../../src/worker/engine.ts';
import { patiently } from '../../src/worker/patience.ts';

const caller: Caller = {
  storeId: 'store',
  verifyValues: false,
  full: false,
  busyTimeoutMs: 0,
  exclusive: true,
  owned: false,
  snapshotFailure: undefined,
};

it('a hundred and fifty thousand providers, of which one wants to wait', () => {
  const callers = new Set(
    Array.from({ length: 150_000 }, (_, index) => ({ ...caller, busyTimeoutMs: index === 7 ? 1e6 : 0 })),
  );
  let attempts = 0;
  const task = patiently(() => {
    if (++attempts < 3) throw new EngineError('database-busy', { message: 'database is locked' });
    return 'done';
  }, callers);
  expect(task.next()).toMatchObject({ done: false, value: expect.any(Number) });
  expect(task.next()).toMatchObject({ done: false, value: expect.any(Number) });
  expect(task.next()).toEqual({ done: true, value: 'done' });
});
