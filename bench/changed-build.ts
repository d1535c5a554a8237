/** Builds the package with a part of it changed or left out, to see what that part costs, or buys. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import type { SDS_DesktopPersistenceProvider } from '../dist/index.js';

/** A passage of a file of `src`, which is there exactly once, and what stands in its place. */
export interface Change {
  file: string;
  from: string;
  to: string;
}

const root = join(import.meta.dirname, '..');
const common: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node22.5',
  mainFields: ['module', 'main'],
  logLevel: 'error',
};

/** @throws if a passage is not there: then it is not the build that its name promises */
function changed({ file, from, to }: Change): string {
  const parts = readFileSync(join(root, 'src', file), 'utf8').split(from);
  if (parts.length !== 2) throw new Error(`src/${file} has '${from}' ${parts.length - 1} times`);
  return parts.join(to);
}

/** Into a file of its own, since processes of several rounds do so; it is there until it was used. */
export async function withChangedBuild<T>(changes: readonly Change[], use: (file: string) => Promise<T>): Promise<T> {
  const contents = new Map(changes.map((change) => [join(root, 'src', change.file), changed(change)]));
  const changing: Plugin = {
    name: 'changing',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const text = contents.get(path);
        return text === undefined ? undefined : { contents: text, loader: 'ts' };
      });
    },
  };
  const workerCode = async (entry: string) => {
    const options: BuildOptions = { ...common, format: 'cjs', minify: true, plugins: [changing] };
    const { outputFiles } = await build({ ...options, entryPoints: [join(root, entry)], write: false });
    return outputFiles[0]?.text ?? '';
  };
  const virtual: Plugin = {
    name: 'virtual',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^virtual:/ }, ({ path }) => ({ path, namespace: 'code' }));
      onLoad({ filter: /worker-code/, namespace: 'code' }, async () => ({
        contents: `export default () => ${JSON.stringify(await workerCode('src/worker/sqlite/entry.ts'))}`,
      }));
      // no operation on a whole file, and no other engine, is measured here
      onLoad({ filter: /.*/, namespace: 'code' }, () => ({ contents: "export default () => ''" }));
    },
  };
  const outfile = join(root, 'bench/out', `changed-${process.pid}.mjs`);
  const plugins = [virtual, changing];
  await build({ ...common, entryPoints: [join(root, 'src/main/index.ts')], format: 'esm', outfile, plugins });
  try {
    return await use(outfile);
  } finally {
    rmSync(outfile);
  }
}

export function changedBuild(changes: readonly Change[]): Promise<typeof SDS_DesktopPersistenceProvider> {
  return withChangedBuild(changes, async (file) => {
    const { SDS_DesktopPersistenceProvider: Provider } = await import(pathToFileURL(file).href);
    return Provider;
  });
}
