/** The smallest example is the same as a file and in its document, and has ten lines. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const examples = join(import.meta.dirname, '../../examples');

it('examples/smallest.mjs is what examples/README.md shows, in ten lines', () => {
  const file = readFileSync(join(examples, 'smallest.mjs'), 'utf8').replace(/^\/\*\*.*\n/, '');
  const [, shown] = /^```js\n([\s\S]*?)^```/m.exec(readFileSync(join(examples, 'README.md'), 'utf8')) ?? [];
  expect(file).toBe(shown);
  expect(file.trimEnd().split('\n').filter(Boolean).length).toBeLessThanOrEqual(10);
});
