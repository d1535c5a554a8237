/** A file is opened where SQLite, and so the synchronous provider, would open it. */
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile, freshFolder, patchOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

describe('names of files', () => {
  it('a relative `file:` URL is taken from the working directory, as is a relative path', async () => {
    const folder = freshFolder();
    const ended = await runProgram(
      `import { readdirSync } from 'node:fs';
      process.chdir(${JSON.stringify(folder)});
      const names = ['file:one.db', 'file:./two%20words.db', 'three.db', 'file:four.db?cache=private'];
      const providers = names.map((name) => new SDS_DesktopPersistenceProvider(name, 'store'));
      await Promise.all(providers.map((provider) => provider.appendPatch(patchOf(1), 1)));
      await Promise.all(providers.map((provider) => provider.close()));`,
      'unused',
    );
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(folder).sort()).toEqual(['four.db', 'one.db', 'three.db', 'two words.db']);
  });

  it('`file::memory:` is memory, and makes no file', async () => {
    const folder = freshFolder();
    const ended = await runProgram(
      `process.chdir(${JSON.stringify(folder)});
      const provider = new SDS_DesktopPersistenceProvider('file::memory:', 'store');
      await provider.appendPatch(patchOf(1), 1);
      console.log((await provider.loadPatchesSince(0)).length);
      await provider.close();`,
      'unused',
    );
    expect(ended).toMatchObject({ code: 0, stdout: '1\n', stderr: '' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('a link to a file that is not there yet, and the file itself, are one file from the start', async () => {
    const folder = freshFolder();
    mkdirSync(join(folder, 'real'));
    symlinkSync(join('real', 'store.db'), join(folder, 'link.db'));
    const linked = new SDS_DesktopPersistenceProvider(join(folder, 'link.db'), 'store');
    const direct = new SDS_DesktopPersistenceProvider(join(folder, 'real', 'store.db'), 'store');
    for (let clock = 1; clock <= 50; clock++) {
      void linked.appendPatch(patchOf(clock), clock);
      expect(await direct.loadPatchesSince(clock - 1), `patch ${clock}`).toHaveLength(1);
    }
    await Promise.all([linked.close(), direct.close()]);
    expect(readdirSync(join(folder, 'real'))).toEqual(['store.db']);
  });

  it('a path that is longer than any may be is none to follow, folder by folder: to open it fails', async () => {
    const path = join(freshFolder(), 'a/'.repeat(20_000), 'store.db');
    const provider = new SDS_DesktopPersistenceProvider(path, 'store');
    await expect(provider.ready()).rejects.toMatchObject({ code: 'open-failed' });
    await provider.close();
  });

  it('a name with a NUL character is refused at once', () => {
    expect(() => new SDS_DesktopPersistenceProvider(`${freshFile()}\0.db`, 'store')).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });
});
