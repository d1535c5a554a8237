/** Builds the package without what counts and tells, to see what that costs. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import type { SDS_DesktopPersistenceProvider } from '../dist/index.js';

const root = join(import.meta.dirname, '..');
const common: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node22.5',
  mainFields: ['module', 'main'],
  logLevel: 'error',
};

/** The same fields, and nothing that happens. */
const stub = `const watched = { begunAt: 0, patches: 0, bytes: 0, trace: undefined };
export class FileObserver {
  appended = 0; appendedBytes = 0; settled = 0; settledBytes = 0; failed = 0; failedBytes = 0;
  batches = 0; failedBatches = 0; heldCalls = 0; heldMs = 0;
  began() { return watched; }
  completed() {}
  ended() {}
  beganLoad() {}
  endedLoad() {}
  hold(wait) { wait(); }
}`;

async function codeOf(entry: string): Promise<string> {
  const { outputFiles } = await build({
    ...common,
    entryPoints: [join(root, entry)],
    format: 'cjs',
    minify: true,
    write: false,
  });
  return outputFiles[0]?.text ?? '';
}

/** Into a file of its own, since processes of several rounds do so. */
export async function uncountedBuild(): Promise<typeof SDS_DesktopPersistenceProvider> {
  const outfile = join(root, 'bench/out', `uncounted-${process.pid}.mjs`);
  const plugin: Plugin = {
    name: 'uncounted',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^virtual:/ }, ({ path }) => ({ path, namespace: 'code' }));
      onLoad({ filter: /worker-code/, namespace: 'code' }, async () => ({
        contents: `export default () => ${JSON.stringify(await codeOf('src/worker/sqlite/entry.ts'))}`,
      }));
      // no operation on a whole file, and no other engine, is measured here
      onLoad({ filter: /.*/, namespace: 'code' }, () => ({ contents: "export default () => ''" }));
      onLoad({ filter: /file-observer\.ts$/ }, () => ({ contents: stub }));
    },
  };
  await build({ ...common, entryPoints: [join(root, 'src/main/index.ts')], format: 'esm', outfile, plugins: [plugin] });
  const { SDS_DesktopPersistenceProvider: Provider } = await import(pathToFileURL(outfile).href);
  rmSync(outfile);
  return Provider;
}
