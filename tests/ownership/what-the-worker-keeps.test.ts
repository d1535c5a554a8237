/** Once a batch is committed, the worker looks at none of its bytes any more: some of them are whole buffers of the caller. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

const rowsUrl = pathToFileURL(join(import.meta.dirname, '../../src/worker/sqlite/patch-rows.ts')).href;

it('rows are let go of, whether they were inserted or given up', async () => {
  const { code, stdout, stderr } = await runProgram(
    `import { setImmediate as turn } from 'node:timers/promises';
    const { PatchRows } = await import(${JSON.stringify(rowsUrl)});
    const rows = new PatchRows();
    const insert = ({ count }) => console.log('inserted', count);
    function add(stores, each = 1) {
      const patches = Array.from({ length: stores * each }, () => new Uint8Array(1000));
      patches.forEach((patch, i) => rows.add('store ' + (i % stores), 1, patch, 0, insert));
      return new WeakRef(patches.at(-1));
    }
    async function tell(what, patch) {
      await turn(); // within the job that made it, a weak reference holds
      gc();
      console.log(what, patch.deref() === undefined ? 'gone' : 'kept');
    }
    for (const stores of [1, 3]) {
      await tell('gathered', add(stores));
      rows.clear();
      const givenUp = add(stores);
      rows.clear();
      await tell('given up', givenUp);
      const inserted = add(stores);
      rows.drain(insert);
      await tell('inserted', inserted);
    }
    await tell('a whole statement', add(1, 32));`,
    freshFile(),
    { flags: ['--expose-gc', '--disable-warning=ExperimentalWarning'] },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.trim().split('\n')).toEqual(
    [
      [1, 3].map((stores) => ['gathered kept', 'given up gone', `inserted ${stores}`, 'inserted gone']),
      ['inserted 32', 'a whole statement gone'],
    ].flat(2),
  );
});
