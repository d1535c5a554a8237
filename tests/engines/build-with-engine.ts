/** Builds the package with another engine for its workers, as whoever writes one would: it is bundled into a text, as SQLite's is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BuildOptions, build } from 'esbuild';
import type { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';

const root = join(import.meta.dirname, '../..');
const common: BuildOptions = { bundle: true, platform: 'node', target: 'node22.5', mainFields: ['module', 'main'] };

export async function providerWithEngine(entry: string): Promise<typeof SDS_DesktopPersistenceProvider> {
  const worker = await build({ ...common, entryPoints: [entry], format: 'cjs', write: false });
  const folder = mkdtempSync(join(tmpdir(), 'sds-'));
  const outfile = join(folder, 'package.mjs');
  await build({
    ...common,
    entryPoints: [join(root, 'src/main/index.ts')],
    format: 'esm',
    outfile,
    plugins: [
      {
        name: 'another engine',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^virtual:/ }, ({ path }) => ({ path, namespace: 'code' }));
          onLoad({ filter: /.*/, namespace: 'code' }, ({ path }) => {
            const code = path === 'virtual:worker-code' ? (worker.outputFiles?.[0]?.text ?? '') : '';
            return { contents: `export default () => ${JSON.stringify(code)}` };
          });
        },
      },
    ],
  });
  const { SDS_DesktopPersistenceProvider: Provider } = await import(pathToFileURL(outfile).href);
  rmSync(folder, { recursive: true });
  return Provider;
}
