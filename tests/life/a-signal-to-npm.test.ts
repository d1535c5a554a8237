/** A container's stop, or Ctrl-C, reaches npm: what it runs for the project's commands ends with it, and nothing is left. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { freshFolder } from '../support/files.ts';

const root = join(import.meta.dirname, '../..');
const seesProcesses = existsSync('/proc/self/environ');

/** What has packages of its own, which would be installed first: `npm run test:programs` does that for the example. */
const packagesOf: Record<string, string> = { live: 'examples/live/node_modules', bench: 'bench/node_modules' };
// npm writes that file last
const isInstalled = (place: string | undefined) =>
  place === undefined || existsSync(join(root, place, '.package-lock.json'));

/** A checkout of its own, since commands build: other tests are loading what is built here. */
function checkout(folder: string, without: string[] = []): string {
  for (const name of readdirSync(root)) {
    if (['.git', 'node_modules', 'out', ...without].includes(name)) continue;
    const filter = (path: string) => !/\/(node_modules|out)$/.test(path);
    // as old as they are: what is linked below would seem to belong to other lock files, and be taken away
    cpSync(join(root, name), join(folder, name), { recursive: true, filter, preserveTimestamps: true });
  }
  for (const place of ['node_modules', ...Object.values(packagesOf)]) {
    if (existsSync(join(root, place))) symlinkSync(join(root, place), join(folder, place));
  }
  return folder;
}

/** One for all commands that are not ended while they build: what is built is copied, and not built once more by each. */
const built = mkdtempSync(join(tmpdir(), 'sds-built-'));
beforeAll(() => void checkout(built));
afterAll(() => rmSync(built, { recursive: true, force: true }));

/** The processes that were given this mark, or inherited it. */
function marked(mark: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark)) return [];
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
      } catch {
        return []; // it has ended meanwhile
      }
    });
}

function said(child: ChildProcess, what: RegExp): Promise<void> {
  let text = '';
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (more: string) => {
        text += more;
        if (what.test(text)) resolve();
      });
    }
    child.once('close', () => reject(new Error(`it ended before it said ${what}: ${text}`)));
  });
}

/** What it says once it is in the middle of its work; the first one is ended while it builds. */
const commands: [string, string[], RegExp][] = [
  ['start', ['--', '--edits', '100000'], /prestart/],
  ['live', ['--', '--port', '0'], /Ctrl-C ends it/],
  ['two-servers', ['--', '--edits', '5000'], /\d s {2}/],
  ['automerge', ['--', '--kills', '10000'], /killed when/],
  ['torture', ['--', '--only', 'backpressure'], /backpressure: .+ …/],
  ['bench', ['--', '--only', 'burst'], /linux/],
];
const ready = commands.filter(([name]) => isInstalled(packagesOf[name]));

it.skipIf(!seesProcesses).each(
  ready.flatMap(([name, args, begun], index) =>
    // what npm does with a signal does not depend on the command: Ctrl-C is tried with the first
    (index === 0 ? (['SIGTERM', 'SIGINT'] as const) : (['SIGTERM'] as const)).map((signal) => {
      return { name, args, begun, signal, builds: index === 0 };
    }),
  ),
)('npm run $name: nothing is left after $signal', async ({ name, args, begun, signal, builds }) => {
  const mark = `${name}-${signal}-${process.pid}-${Math.random()}`;
  const npm = spawn('npm', ['run', ...(builds ? [] : ['--ignore-scripts']), name, ...args], {
    cwd: builds ? checkout(freshFolder(), ['dist']) : built,
    env: { ...process.env, MARKED_AS: mark },
    stdio: ['ignore', 'pipe', 'pipe'],
    // a terminal would send the signal to all of them: here npm alone gets it
    detached: true,
  });
  onTestFinished(() => {
    for (const left of marked(mark)) console.error(`left: ${left}`);
    try {
      if (npm.pid !== undefined) process.kill(-npm.pid, 'SIGKILL');
    } catch {
      // nothing is left of its group, as it should be
    }
  });
  const ended = new Promise((resolve) => npm.once('close', resolve));
  await said(npm, begun);
  npm.kill(signal);
  await expect.poll(() => marked(mark)).toEqual([]);
  await ended;
});
