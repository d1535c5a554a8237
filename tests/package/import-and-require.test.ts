/** The packed and installed package, through `import` and through `require`. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesBeside, rowsOf } from '../support/files.ts';
import { installed, place, resultOf, runNode } from './a-fresh-machine.ts';
import { application, extensionOf, importing, type ModuleFormat, wholeJourney } from './an-application.ts';

const formats: ModuleFormat[] = ['esm', 'cjs'];

describe('an application with the package in its node_modules', () => {
  it.each(formats)('appends, flushes, closes, opens again and loads (%s)', async (format) => {
    const folder = await installed();
    const program = place(folder, `main.${extensionOf[format]}`, application(format));
    const dbPath = join(folder, 'notes.db');
    expect(resultOf(await runNode([program, dbPath], { cwd: folder }), program)).toEqual(wholeJourney);
    expect(filesBeside(dbPath)).not.toContain('notes.db-wal');
    expect(filesBeside(dbPath)).not.toContain('notes.db-shm');
    expect(rowsOf(dbPath).patches).toHaveLength(200);
  });

  it('may load it in both ways at once, and has one library then', async () => {
    const folder = await installed();
    const program = place(
      folder,
      'both.mjs',
      `${importing('esm', 'createRequire', 'node:module')}
${importing('esm', 'SDS_DesktopPersistenceProvider', 'sds-persistence-worker')}
const required = createRequire(import.meta.url)('sds-persistence-worker');
if (required.SDS_DesktopPersistenceProvider !== SDS_DesktopPersistenceProvider) throw new Error('there are two classes');
const one = new SDS_DesktopPersistenceProvider('both.db', 'notes');
const other = new required.SDS_DesktopPersistenceProvider('both.db', 'notes');
for (let number = 0; number < 500; number++) {
  void one.appendPatch(new Uint8Array([1]), 2 * number);
  void other.appendPatch(new Uint8Array([2]), 2 * number + 1);
}
await Promise.all([one.flush(), other.flush()]);
const patches = await one.loadPatchesSince(-1);
await Promise.all([one.close(), other.close()]);
console.log(JSON.stringify(patches.map(([byte]) => byte)));
`,
    );
    const expected = Array.from({ length: 1000 }, (_, index) => (index % 2) + 1);
    const ended = await runNode([program], { cwd: folder });
    expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
    expect(JSON.parse(ended.stdout)).toEqual(expected);
  });

  it('ends by itself without close(), with all it called committed', async () => {
    const folder = await installed();
    const program = place(
      folder,
      'unclosed.mjs',
      `${importing('esm', 'SDS_DesktopPersistenceProvider', 'sds-persistence-worker')}
const provider = new SDS_DesktopPersistenceProvider('unclosed.db', 'notes');
for (let number = 1; number <= 1000; number++) void provider.appendPatch(new Uint8Array([number]), number);
console.log(process.pid);
`,
    );
    const { exitCode, stdout, stderr } = await runNode([program], { cwd: folder });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    // no process is left behind: a signal to it finds nobody
    expect(() => process.kill(Number(stdout), 0)).toThrow('ESRCH');
    const dbPath = join(folder, 'unclosed.db');
    expect(filesBeside(dbPath)).not.toContain('unclosed.db-wal');
    expect(filesBeside(dbPath)).not.toContain('unclosed.db-shm');
    expect(rowsOf(dbPath).patches).toHaveLength(1000);
  });
});
