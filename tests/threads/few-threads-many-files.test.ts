/** A few workers serve any number of files; providers on the same file share one connection. */
import { linkSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile, freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

const openMany = `
import { readFileSync, readdirSync } from 'node:fs';
let workers = 0;
process.on('worker', () => workers++);
const providers = Array.from({ length: 300 }, (_, i) => new SDS_DesktopPersistenceProvider(file + i, 'store'));
for (const provider of providers) provider.appendPatch(patchOf(1), 1);
await Promise.all(providers.map((provider) => provider.flush()));
const threads = process.platform === 'linux' ? Number(/Threads:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) : 0;
console.log(JSON.stringify({ workers, threads }));
await Promise.all(providers.map((provider) => provider.close()));
`;

describe('few threads, many files', () => {
  it('300 open files are served by at most 4 workers', async () => {
    const file = freshFile();
    const ended = await runProgram(openMany, file);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    const { workers, threads } = JSON.parse(ended.stdout) as { workers: number; threads: number };
    expect(workers).toBeGreaterThanOrEqual(2);
    expect(workers).toBeLessThanOrEqual(4);
    expect(threads).toBeLessThan(40); // Node's own threads included
    for (const i of [0, 150, 299]) expect(rowsOf(`${file}${i}`).patches).toHaveLength(1);
  });

  it('whoever runs the program chooses the number of workers', async () => {
    const ended = await runProgram(`process.env.SDS_PERSISTENCE_WORKERS = '1';${openMany}`, freshFile());
    expect(JSON.parse(ended.stdout)).toMatchObject({ workers: 1 });
  });

  it('a file reached by other names is one file: the calls of its providers keep one order', async () => {
    const folder = freshFolder();
    mkdirSync(join(folder, 'real'));
    symlinkSync(join(folder, 'real'), join(folder, 'linked'));
    const names = [
      join(folder, 'real', 'a.db'),
      join(folder, 'linked', 'a.db'),
      join(folder, 'real', '..', 'real', 'a.db'),
    ];
    const options = { OnClockCollision: 'ignore' } as const;
    const providers = names.map((name) => new SDS_DesktopPersistenceProvider(name, 'store', options));
    const [first, second, third] = providers as [
      SDS_DesktopPersistenceProvider,
      SDS_DesktopPersistenceProvider,
      SDS_DesktopPersistenceProvider,
    ];
    void first.appendPatch(patchOf('first'), 1);
    void second.appendPatch(patchOf('second'), 1);
    void third.prunePatches(2);
    void second.appendPatch(patchOf('third'), 1);
    expect((await first.loadPatchesSince(0)).map((bytes) => new TextDecoder().decode(bytes))).toEqual(['patch third']);
    await Promise.all(providers.map((provider) => provider.close()));
    expect(readFileSync(names[0] as string).byteLength).toBeGreaterThan(0);
  });

  it('a symbolic link to the file itself is the same file', async () => {
    const file = freshFile();
    const first = new SDS_DesktopPersistenceProvider(file, 'store');
    await first.ready();
    symlinkSync(file, `${file}-link`);
    const second = new SDS_DesktopPersistenceProvider(`${file}-link`, 'store');
    void second.appendPatch(patchOf(1), 1);
    expect(await first.loadPatchesSince(0)).toHaveLength(1);
    await Promise.all([first.close(), second.close()]);
    expect(() => linkSync(file, `${file}-copy`)).not.toThrow();
  });

  it('databases in memory are never shared', async () => {
    const [first, second] = [1, 2].map(() => new SDS_DesktopPersistenceProvider(':memory:', 'store')) as [
      SDS_DesktopPersistenceProvider,
      SDS_DesktopPersistenceProvider,
    ];
    await first.appendPatch(patchOf(1), 1);
    expect(await second.loadPatchesSince(0)).toEqual([]);
    expect(await first.loadPatchesSince(0)).toHaveLength(1);
    await Promise.all([first.close(), second.close()]);
  });
});
