/** Every command of docs/operations.md runs, in the order of the page; what the README shows of a run is what a run shows. */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { END, START, shown } from '../../demo/operations.ts';
import { command } from '../support/command-line.ts';
import { freshFolder } from '../support/files.ts';
import { makeStoreFile } from '../support/store-files.ts';

const root = join(import.meta.dirname, '../..');

it('the commands of the page', async () => {
  const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');
  const lines = [...page.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, text = '']) => text.trim().split('\n'));
  expect(lines.length).toBeGreaterThan(8);
  const cwd = freshFolder();
  makeStoreFile(join(cwd, 'notes.db'));
  mkdirSync(join(cwd, 'data'));
  copyFileSync(join(cwd, 'notes.db'), join(cwd, 'data', 'one.db'));
  for (const line of lines) {
    const [npx, program, ...args] = line.split(' ');
    expect([npx, program]).toEqual(['npx', 'sds-persistence-worker']);
    const { exitCode, stderr } = await command(args, { cwd });
    expect({ line, exitCode, stderr }).toEqual({ line, exitCode: 0, stderr: '' });
  }
});

it('what the README shows', async () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const start = readme.indexOf(START) + START.length;
  const inReadme = readme.slice(start, readme.indexOf(END, start)).trim();
  // times, and sizes that depend on when the log was last taken in
  const form = (text: string) =>
    text
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replace(/[\d.]+ m?s\b/g, 'SECONDS')
      .replace(/(none|\d[\d.]* [a-zA-Z]+B|\d+ bytes)/g, 'SIZE');
  expect(form(inReadme)).toBe(form(await shown()));
});
