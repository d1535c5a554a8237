/** `npm run automerge` as a person starts it: what it prints, how it ends, and that nothing is left of it. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

const program = join(import.meta.dirname, '../main.ts');

async function run(args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'sds-command-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const env = { ...process.env, TMPDIR: folder };
  const { promise, resolve } = Promise.withResolvers<{ code: unknown; stdout: string; stderr: string }>();
  const child = execFile(process.execPath, [program, ...args], { env }, (error, stdout, stderr) =>
    resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
  );
  onTestFinished(() => void child.kill('SIGTERM'));
  return { ...(await promise), left: readdirSync(folder) };
}

it('each program goes on behind what the one before has stored, and all is there at the end', async () => {
  const { code, stdout, stderr, left } = await run(['--kills', '3']);
  expect(code, stderr).toBe(0);
  const rounds = [...stdout.matchAll(/^found (\d+) notes, killed when (\d+) were stored$/gm)].map(
    ([, found, stored]) => ({
      found: Number(found),
      stored: Number(stored),
    }),
  );
  expect(rounds).toHaveLength(3);
  for (const [i, { found, stored }] of rounds.entries()) {
    expect(found).toBeGreaterThanOrEqual(rounds[i - 1]?.stored ?? 0);
    expect(stored).toBeGreaterThan(found);
  }
  expect(stdout).toMatch(/at the end there are \d+ notes in automerge:\w+\nNothing that was flushed is lost\.\n$/);
  expect(left).toEqual([]);
});

it('tells its options, and what is wrong with them', async () => {
  expect((await run(['--help'])).stdout).toMatch(/--kills N.*\n(.*\n)*.*--database/);
  const none = await run(['--kills', '0']);
  expect(none).toMatchObject({ code: 2, stderr: "--kills must be an integer from 1 to 10000, not '0'.\n" });
  expect((await run(['--nonsense'])).code).toBe(2);
});

it('a folder that is not there is told, and is exit code 1', async () => {
  const { code, stderr } = await run(['--database', join(tmpdir(), 'no', 'such', 'notes.db')]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/there is no such folder|notes\.db/);
});
