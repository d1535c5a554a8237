/** What a program preloads is preloaded into the workers as well: promises of another kind in the place of the language's. */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { freshFolder } from '../support/files.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';
import { runProgram } from '../support/programs.ts';

const { resolve } = createRequire(import.meta.url);

describeOnPostgresql('in a worker with Bluebird as its `Promise`', () => {
  it('calls are carried out, and answered', async () => {
    const place = await postgresql.freshPlace();
    const preload = join(freshFolder(), 'preload.cjs');
    writeFileSync(
      preload,
      `if (!require('node:worker_threads').isMainThread) globalThis.Promise = require(${JSON.stringify(resolve('bluebird'))});`,
    );
    const ended = await runProgram(
      `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      for (let clock = 1; clock <= 100; clock++) provider.appendPatch(patchOf(clock), clock);
      await provider.saveValue('value', new Uint8Array(300_000));
      const [value, patches] = await Promise.all([provider.loadValue('value'), provider.loadPatchesSince(0)]);
      await provider.close();
      console.log(value.length, patches.length);`,
      place,
      { flags: ['--require', preload] },
    );
    expect(ended).toMatchObject({ code: 0, stdout: '300000 100\n', stderr: '' });
  });
});
