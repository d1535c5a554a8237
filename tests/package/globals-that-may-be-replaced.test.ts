/** `npm run check` refuses globals that a program may have replaced, wherever one turns up in `src`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { freshFolder } from '../support/files.ts';
import { runNode } from './a-fresh-machine.ts';

const root = join(import.meta.dirname, '../..');

async function check(files: Record<string, string>): Promise<string[]> {
  const folder = freshFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const { exitCode, stderr } = await runNode([join(root, 'check-globals.mjs'), folder], { cwd: root });
  const [, ...found] = stderr.trim().split('\n  ');
  expect(exitCode).toBe(found.length > 0 ? 1 : 0);
  return found;
}

it('each use is named, on either side of the threads', async () => {
  const found = await check({
    'src/main/some-file.ts': `export const made = Promise.reject(1);
      export class Own extends Promise<void> {}
      setTimeout(() => {}, 1);
      process.nextTick(() => {});
      globalThis.queueMicrotask(() => {});
      export const at = Date.now();`,
    'src/worker/deep/inside.ts': `import { setImmediate } from 'node:timers/promises';
      await setImmediate();
      export const isPromise = (value: unknown) => value instanceof Promise;
      export const begun = performance.now();`,
    'src/protocol/surroundings.ts': 'export const own = performance;',
  });
  expect(found.sort()).toEqual([
    'src/main/some-file.ts: Date',
    'src/main/some-file.ts: Promise',
    'src/main/some-file.ts: globalThis.queueMicrotask',
    'src/main/some-file.ts: process.nextTick',
    'src/main/some-file.ts: setTimeout',
    'src/worker/deep/inside.ts: Promise',
    'src/worker/deep/inside.ts: performance',
    'src/worker/deep/inside.ts: the module node:timers/promises',
  ]);
});

it('types are no use, nor are other things of the same name', async () => {
  const found = await check({
    'src/main/some-file.ts': `import { performance, Promise } from '../protocol/surroundings.ts';
      export const made: Promise<number> = Promise.resolve(performance.now());
      export async function wait(): Promise<void> {}
      export function inside(setTimeout: () => void): void { setTimeout(); }`,
  });
  expect(found).toEqual([]);
});

it('there is none in this package', async () => {
  expect(await runNode([join(root, 'check-globals.mjs')], { cwd: root })).toMatchObject({ exitCode: 0, stderr: '' });
});
