/** More bundlers, each as its users would set it up for Node: in processes of their own, by what `install.ts` brings. */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { place, runNode } from '../package/a-fresh-machine.ts';
import type { Bundler } from '../package/bundlers.ts';

const tools = join(import.meta.dirname, 'tools/node_modules');

/** Runs a program of a bundler, in the folder of what is to be bundled. */
async function bundleBy(args: string[], folder: string): Promise<void> {
  const { exitCode, stdout, stderr } = await runNode(args, { cwd: folder });
  if (exitCode !== 0) throw new Error(`${stdout}\n${stderr}`);
}

/** Runs a module with what it imports at hand. */
async function bundleByText(imports: string, text: string, folder: string): Promise<void> {
  await bundleBy([place(folder, 'build.mjs', `${imports}\n${text}`)], folder);
}

const importFrom = (names: string, path: string) =>
  `import ${names} from ${JSON.stringify(pathToFileURL(join(tools, path)).href)};`;

/** webpack, and Rspack, which takes what webpack takes. */
const asWebpack =
  (imports: string): Bundler =>
  (source, target) =>
    bundleByText(
      imports,
      `const output = ${JSON.stringify({ path: dirname(target), filename: basename(target) })};
      const entry = ${JSON.stringify(source)};
      bundle({ mode: 'production', target: 'node', entry, output }, (error, stats) => {
        if (error || stats.hasErrors() || stats.hasWarnings()) throw error ?? new Error(stats.toString());
      });`,
      dirname(source),
    );

export const withWebpack = asWebpack(importFrom('bundle', 'webpack/lib/index.js'));
export const withRspack = asWebpack(importFrom('{ rspack as bundle }', '@rspack/core/dist/index.js'));

export const withRolldown: Bundler = (source, target) =>
  bundleByText(
    importFrom('{ build }', 'rolldown/dist/index.mjs'),
    `await build(${JSON.stringify({ input: source, platform: 'node', output: { file: target, format: 'esm' } })});`,
    dirname(source),
  );

export const withNcc: Bundler = (source, target) =>
  bundleBy([join(tools, '@vercel/ncc/dist/ncc/cli.js'), 'build', source, '--out', dirname(target)], dirname(source));

/** The name of what it makes is that of the source. It takes no notice of a package's `exports` until it is told to. */
export const withParcel: Bundler = (source, target) => {
  const folder = dirname(source);
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as object;
  const app = {
    source: basename(source),
    distDir: dirname(target),
    context: 'node',
    outputFormat: 'commonjs',
    includeNodeModules: true,
    isLibrary: false,
    sourceMap: false,
  };
  const settings = { '@parcel/resolver-default': { packageExports: true } };
  place(folder, 'package.json', JSON.stringify({ ...manifest, targets: { app }, ...settings }));
  return bundleBy([join(tools, 'parcel/lib/bin.js'), 'build', '--target', 'app', '--no-cache'], folder);
};
