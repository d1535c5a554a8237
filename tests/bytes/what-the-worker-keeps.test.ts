/** Once a batch is committed, the worker looks at none of its bytes any more: some of them are whole buffers of the caller. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

const urlOf = (file: string) =>
  JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../src/worker/sqlite', file)));

it('rows are let go of, whether they were inserted or given up', async () => {
  const { code, stdout, stderr } = await runProgram(
    `import { createRequire } from 'node:module';
    import { setImmediate as turn } from 'node:timers/promises';
    globalThis.require = createRequire(import.meta.url);
    const { open } = await import(${urlOf('node-sqlite.ts')});
    const { createTables } = await import(${urlOf('schema.ts')});
    const { Statements } = await import(${urlOf('statements.ts')});
    const { PatchWriter } = await import(${urlOf('patch-writer.ts')});
    const database = open(':memory:');
    createTables(database);
    const writer = new PatchWriter(new Statements(database));
    let clock = 0;
    function add(stores, each = 1) {
      const patches = Array.from({ length: stores * each }, () => new Uint8Array(1000));
      patches.forEach((patch, i) => writer.add('store ' + (i % stores), ++clock, patch, 0, false));
      return new WeakRef(patches.at(-1));
    }
    async function tell(what, patch) {
      await turn(); // within the job that made it, a weak reference holds
      gc();
      const stored = database.prepare('SELECT count(*) AS rows FROM patches').get().rows;
      console.log(what, patch.deref() === undefined ? 'gone' : 'kept', stored);
    }
    for (const stores of [1, 3]) {
      await tell('gathered', add(stores));
      writer.clear();
      const givenUp = add(stores);
      writer.clear();
      await tell('given up', givenUp);
      const inserted = add(stores);
      writer.insert();
      await tell('inserted', inserted);
    }
    await tell('a whole statement', add(1, 32));`,
    freshFile(),
    { flags: ['--expose-gc', '--disable-warning=ExperimentalWarning'] },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.trim().split('\n')).toEqual([
    'gathered kept 0',
    'given up gone 0',
    'inserted gone 1',
    'gathered kept 1',
    'given up gone 1',
    'inserted gone 4',
    'a whole statement gone 36',
  ]);
});
