/** What applications are bundled with, each as its users would set it up for Node: nothing is named external but what is Node's. */
import { join } from 'node:path';
import commonjsPlugin from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { build as esbuild } from 'esbuild';
import { rollup } from 'rollup';
import { build as vite } from 'vite';
import type { ModuleFormat } from './an-application.ts';

// its types describe a CommonJS module, and an ES module is what is loaded
const commonjs = commonjsPlugin as unknown as typeof commonjsPlugin.default;

/** A bundler: makes one file of another and all it imports. */
export type Bundler = (source: string, target: string) => Promise<unknown>;

export const withEsbuild =
  (format: ModuleFormat, minify: boolean): Bundler =>
  (source, outfile) =>
    esbuild({ entryPoints: [source], outfile, bundle: true, platform: 'node', format, minify, logLevel: 'warning' });

export const withRollup =
  (format: ModuleFormat): Bundler =>
  async (source, file) => {
    const bundle = await rollup({
      input: source,
      external: /^node:/,
      plugins: [nodeResolve(), commonjs()],
      onwarn: (warning) => {
        throw new Error(warning.message);
      },
    });
    await bundle.write({ file, format });
    await bundle.close();
  };

export const withVite: Bundler = (source, target) =>
  vite({
    root: join(source, '..'),
    configFile: false,
    logLevel: 'warn',
    ssr: { noExternal: true },
    build: {
      ssr: source,
      outDir: join(target, '..'),
      emptyOutDir: false,
      minify: true,
      rollupOptions: { output: { entryFileNames: 'bundle.mjs' } },
    },
  });
