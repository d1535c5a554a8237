/** Providers that are made where nobody expects one. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile, freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

const mainFile = join(import.meta.dirname, '../../dist/index.cjs');

describe('a provider that is made', () => {
  it('only in an `exit` listener, as the first of all, still stores what is called', async () => {
    const file = freshFile();
    const ended = await runProgram(
      `process.on('exit', () => {
        const provider = new SDS_DesktopPersistenceProvider(file, 'store');
        for (let clock = 1; clock <= 3; clock++) provider.appendPatch(patchOf(clock), clock);
      });`,
      file,
    );
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(rowsOf(file).patches).toHaveLength(3);
  });

  it('before its folder is opens it with a later call, and from then on is like any other', async () => {
    const folder = join(freshFolder(), 'later');
    const provider = new SDS_DesktopPersistenceProvider(join(folder, 'notes.db'), 'store');
    await expect(provider.appendPatch(patchOf(1), 1)).rejects.toMatchObject({ code: 'open-failed' });
    mkdirSync(folder);
    await provider.appendPatch(patchOf(1), 1);
    expect(provider.status).toBe('open');
    await provider.flush(); // nobody has asked yet how the first attempt went, and nobody has to hear of it any more
    await provider.ready();
    await provider.backup(join(folder, 'copy.db'));
    expect(rowsOf(join(folder, 'copy.db')).patches).toHaveLength(1);
    await provider.close();
  });

  it('before its folder is says so when all that was called is waited for', async () => {
    const provider = new SDS_DesktopPersistenceProvider(join(freshFolder(), 'missing', 'notes.db'), 'store');
    await expect(provider.flush()).rejects.toMatchObject({ code: 'open-failed' });
    await provider.close();
  });

  it('by a file that is preloaded with --require does not start workers without end', async () => {
    const file = freshFile();
    const preload = join(freshFolder(), 'preload.cjs');
    writeFileSync(
      preload,
      `const { SDS_DesktopPersistenceProvider } = require(${JSON.stringify(mainFile)});
      globalThis.provider = new SDS_DesktopPersistenceProvider(${JSON.stringify(file)}, 'store');`,
    );
    const ended = await runProgram(
      `let workers = 0;
      process.on('worker', () => workers++);
      await globalThis.provider.appendPatch(patchOf(1), 1);
      console.log(workers);`,
      file,
      { flags: ['--require', preload] },
    );
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(Number(ended.stdout)).toBeLessThanOrEqual(1);
    expect(rowsOf(file).patches).toHaveLength(1);
  });
});
