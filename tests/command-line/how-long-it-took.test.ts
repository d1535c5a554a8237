/** Times as people read them. */
import { expect, it } from 'vitest';
import { duration } from '../../src/cli/screen.ts';

it('is said in units of which none is as many as the next one', () => {
  expect([0, 999.4, 999.6, 1000, 89_900, 90_000, 119_400, 119_600, 3_659_700].map(duration)).toEqual([
    '0 ms',
    '999 ms',
    '1.0 s',
    '1.0 s',
    '89.9 s',
    '1 min 30 s',
    '1 min 59 s',
    '2 min 0 s',
    '61 min 0 s',
  ]);
});
