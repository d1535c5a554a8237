/** A file that is busy is waited for, however many providers it has. */
import { expect, it } from 'vitest';
import { EngineError } from '../../src/worker/engine.ts';
import { patiently } from '../../src/worker/patience.ts';
import { aCaller } from '../support/a-caller.ts';

it('a hundred and fifty thousand providers, of which one wants to wait', () => {
  const callers = new Set(
    Array.from({ length: 150_000 }, (_, index) => ({ ...aCaller, busyTimeoutMs: index === 7 ? 1e6 : 0 })),
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
