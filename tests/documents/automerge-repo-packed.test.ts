/** `sds-persistence-worker/automerge-repo` as it is installed: by import and by require, bundled, and with one worker for all. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { installed, place, resultOf, runNode } from '../package/a-fresh-machine.ts';
import { extensionOf, importing, type ModuleFormat } from '../package/an-application.ts';
import { withEsbuild } from '../package/bundlers.ts';
import { freshFolder } from '../support/files.ts';

const application = (format: ModuleFormat) => `
${importing(format, 'AutomergeRepoStorage', 'sds-persistence-worker/automerge-repo')}
${importing(format, 'SDS_DesktopPersistenceProvider, SDS_PersistenceError', 'sds-persistence-worker')}
let threads = 0;
process.on('worker', () => threads++);
async function main() {
  const file = process.argv.at(-1);
  const provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.appendPatch(new Uint8Array([1]), 1);
  const storage = new AutomergeRepoStorage(file);
  await storage.save(['document', 'snapshot'], new Uint8Array([2]));
  const chunks = await storage.loadRange(['document']);
  await storage.close();
  const refused = await storage.load(['document']).catch((error) => error);
  await provider.close();
  console.log(JSON.stringify({ threads, chunks: chunks.length, isOurs: refused instanceof SDS_PersistenceError }));
}
void main();
`;

const expected = { threads: 1, chunks: 1, isOurs: true };

describe.each(['esm', 'cjs'] as const)('%s', (format) => {
  it('installed', async () => {
    const folder = await installed();
    const program = place(folder, `main.${extensionOf[format]}`, application(format));
    expect(resultOf(await runNode([program, join(folder, 'repo.db')], { cwd: freshFolder() }), program)).toEqual(
      expected,
    );
  });

  it('bundled into one file', async () => {
    const folder = await installed();
    const source = place(folder, `main.${extensionOf[format]}`, application(format));
    const bundle = join(freshFolder(), `bundle.${extensionOf[format]}`);
    await withEsbuild(format, true)(source, bundle);
    expect(resultOf(await runNode([bundle, join(folder, 'repo.db')], { cwd: freshFolder() }), bundle)).toEqual(
      expected,
    );
  });
});
