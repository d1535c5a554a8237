/** `npm run two-servers` as a person starts it: what it prints, how it ends, and that nothing is left of it. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

const program = join(import.meta.dirname, '../main.ts');
const small = ['--documents', '3', '--edits', '15', '--lease', '3000'];

/** A folder for temporary files of this run's own, to see what is left in it. */
function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sds-command-'));
  // PostgreSQL may run as another user
  chmodSync(folder, 0o755);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs the command until it ends; `onOutput` may send it signals. */
async function run(args: string[], onOutput = (_text: string, _kill: (signal: NodeJS.Signals) => void) => {}) {
  const folder = freshFolder();
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: folder, NO_COLOR: '1', FORCE_COLOR: undefined },
  });
  onTestFinished(() => void child.kill('SIGTERM'));
  let [stdout, stderr] = ['', ''];
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    onOutput(stdout, (signal) => child.kill(signal));
  });
  // its servers share its standard error, so `close` also means that they are gone
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { code, stdout, stderr, left: readdirSync(folder), figures: figuresIn(stdout) };
}

/** The table's lines: the title, and its numbers. */
function figuresIn(stdout: string): Map<string, number[]> {
  const lines = stdout.matchAll(/^(\S.*?) {2,}([\d,. s]+)$/gm);
  return new Map(
    [...lines].map(([, title = '', value = '']) => [
      title,
      value.split(', ').map((number) => Number.parseFloat(number.replaceAll(',', ''))),
    ]),
  );
}

describe('npm run two-servers', () => {
  it('tells its options', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(0);
    for (const option of ['--documents', '--editors', '--edits', '--lease', '--pause'])
      expect(stdout).toContain(option);
  });

  it.each([
    [['--documents', '0'], "--documents must be an integer from 1 to 500, not '0'."],
    [['--lease', 'x'], "--lease must be an integer from 1000 to 60000, not 'x'."],
    [['--nonsense'], "Unknown option '--nonsense'; --help lists the options."],
    [['more'], "Unexpected argument 'more'"],
  ])('%j is a sentence and exit code 2', async (args, sentence) => {
    const { code, stderr, left } = await run(args);
    expect(code).toBe(2);
    expect(stderr).toContain(sentence);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(left).toEqual([]);
  });

  it('kills a server in mid-typing: nothing is lost, and nothing is left', async () => {
    const { code, stdout, stderr, figures, left } = await run(small);
    expect({ code, stderr, left }, stdout).toEqual({ code: 0, stderr: '', left: [] });
    expect(stdout).toMatch(/(east|west) is killed in mid-typing/);
    expect(figures.get('editors')).toEqual([6]);
    expect(figures.get('edits')?.[0]).toBeGreaterThanOrEqual(6 * 2 * 15);
    expect(figures.get('acknowledged as durable')).toEqual(figures.get('edits'));
    expect(figures.get('typed while no server had the document')?.[0]).toBeGreaterThan(0);
    expect(figures.get('lost')).toEqual([0]);
    expect(figures.get('documents that differ from the database')).toEqual([0]);
    expect(figures.has('late writes in the database')).toBe(false);
  });

  it.skipIf(process.platform === 'win32')('--pause: what a server writes after its time is refused', async () => {
    const { code, stderr, stdout, figures, left } = await run([...small, '--pause']);
    expect({ code, stderr, left }, stdout).toEqual({ code: 0, stderr: '', left: [] });
    expect(stdout).toMatch(/(east|west) is stopped in mid-typing/);
    expect(figures.get('acknowledged as durable')).toEqual(figures.get('edits'));
    expect(figures.get('late writes refused (fenced)')?.[0]).toBeGreaterThan(0);
    expect(figures.get('late writes in the database')).toEqual([0]);
    expect(figures.get('lost')).toEqual([0]);
  });

  it.each([
    ['while people type', /people type/],
    ['while documents move', /in mid-typing/],
  ])('Ctrl-C %s ends all of it, and nothing is left', async (_, moment) => {
    let sent = false;
    const { code, left } = await run(small, (text, kill) => {
      if (sent || !moment.test(text)) return;
      sent = true;
      kill('SIGINT');
    });
    expect({ code, left }).toEqual({ code: 130, left: [] });
  });
});
