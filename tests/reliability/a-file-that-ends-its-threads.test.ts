/** A file whose work ends the worker thread each time it is tried: it is refused, and its neighbours on that worker are not. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freshFolder, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/** Preloaded into each thread: as long as `armed` is there, a worker ends as soon as it looks for `poison.db`. */
const hook = (folder: string) => `
  const { isMainThread } = require('node:worker_threads');
  const fs = require('node:fs');
  const { statSync } = fs;
  if (!isMainThread) {
    fs.statSync = (path, ...options) => {
      if (path === ${JSON.stringify(join(folder, 'poison.db'))} && fs.existsSync(${JSON.stringify(join(folder, 'armed'))}))
        process.exit(1);
      return statSync(path, ...options);
    };
  }`;

const beginning = `
  import { rmSync, writeFileSync } from 'node:fs';
  import { join } from 'node:path';
  process.env.SDS_PERSISTENCE_WORKERS = '1';
  let workers = 0;
  process.on('worker', () => workers++);
  const arm = () => writeFileSync(join(file, 'armed'), '');
  const disarm = () => rmSync(join(file, 'armed'), { force: true });
  const open = (name) => new SDS_DesktopPersistenceProvider(join(file, name + '.db'), 'store');
  const why = (error) => [error.code, error.message.replace(/^.*: /, ''), error.cause?.message];
  const others = Array.from({ length: 9 }, (_, i) => open(i));
  let clock = 0;
  const write = () => {
    clock++;
    return others.map((other) => other.appendPatch(patchOf(clock), clock));
  };
  await Promise.all(write());
`;
const end = `
  disarm();
  const again = open('poison');
  await again.appendPatch(patchOf(1), 1);
  await Promise.all([...others, again].map((provider) => provider.close()));
  console.log(JSON.stringify({ told, workers }));`;

async function run(text: string): Promise<{ folder: string; told: [string, string, string][]; workers: number }> {
  const folder = freshFolder();
  const preloaded = join(folder, 'hook.cjs');
  writeFileSync(preloaded, hook(folder));
  const { code, stdout, stderr } = await runProgram(beginning + text + end, folder, {
    flags: [`--require=${preloaded}`],
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return { folder, ...(JSON.parse(stdout) as { told: [string, string, string][]; workers: number }) };
}

function expectRefused(told: [string, string, string][], workers: number): void {
  const [first] = told;
  expect(first?.[0]).toBe('worker-lost');
  expect(first?.[1]).toContain('ended again and again while they were at the work of this file');
  expect(first?.[2]).toContain('code 1');
  for (const one of told) expect(one).toEqual(first);
  expect(workers).toBeLessThan(12); // a few tries
}

describe('a file that ends its threads', () => {
  it('as it is opened: it is refused, what the others were given meanwhile is stored, and a new provider tries anew', async () => {
    const { folder, told, workers } = await run(`
      arm();
      const poison = open('poison');
      const calls = [poison.ready(), poison.appendPatch(patchOf(1), 1), poison.loadSnapshot()];
      const meanwhile = write();
      const told = await stayFor(Promise.all(calls.map((call) => call.then(() => 'done', why))));
      await Promise.all(meanwhile);
      told.push(await poison.ready().catch(why), await poison.appendPatch(patchOf(1), 1).catch(why));
      await poison.close();
      await Promise.all(write());`);
    expectRefused(told, workers);
    for (let i = 0; i < 9; i++) expect(rowsOf(join(folder, `${i}.db`)).patches).toHaveLength(3);
  });

  it('as it is written: the others lose nothing, though they finish something between its deaths', async () => {
    const { folder, told, workers } = await run(`
      const poison = open('poison');
      await poison.ready();
      arm();
      const call = poison.appendPatch(patchOf(1), 1);
      const meanwhile = [];
      let over = false;
      const told = [await stayFor(Promise.race([call.catch(why), (async () => {
        while (!over) {
          meanwhile.push(...write());
          await Promise.all(meanwhile);
        }
      })()]))];
      over = true;
      await Promise.all(meanwhile);
      told.push(await poison.ready().catch(why));
      await poison.close();
      clock = 1_000_000;
      await Promise.all(write());`);
    expectRefused(told, workers);
    const counts = Array.from({ length: 9 }, (_, i) => rowsOf(join(folder, `${i}.db`)).patches.length);
    expect(new Set(counts).size).toBe(1);
    expect(rowsOf(join(folder, '0.db')).patches.at(-1)).toMatchObject({ clock: 1_000_001 });
  });

  it('once, and threads after that end before they begin: these ends are not counted as its own', async () => {
    const { folder, told } = await run(`
      const poison = open('poison');
      await poison.ready();
      arm();
      const lasting = workers + 5;
      process.on('worker', (worker) => {
        disarm();
        if (workers < lasting) void worker.terminate();
      });
      const told = [await stayFor(poison.appendPatch(patchOf(1), 1).then(() => 'done', why))];
      await poison.close();`);
    expect(told).toEqual(['done']);
    expect(rowsOf(join(folder, 'poison.db')).patches).toHaveLength(1);
  });
});
