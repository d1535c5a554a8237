/** `npm run hocuspocus` and `npm run yjs-server` as a person starts them: what they print, what they serve, and how they end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

function startOf(example: string, ...args: string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../..', example, 'main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  }
  return { child, said, ended: once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]> };
}

describe.each(['hocuspocus', 'yjs-server'])('npm run %s', (example) => {
  const start = (...args: string[]) => startOf(example, ...args);

  it('tells its options', async () => {
    const { said, ended } = start('--help');
    expect(await ended).toEqual([0, null]);
    for (const option of ['--database', '--port', '--help']) expect(said.stdout).toContain(option);
  });

  it.each([
    ['a port that is none', ['--port', 'x'], /--port must be a port/],
    ['an option that there is not', ['--colour'], /--colour/],
    ['a database that can not be opened', ['--port', '0', '--database', '/missing/folder/documents.db'], /worker/],
  ])('%s: says so, and ends with 2', async (_, args, message) => {
    const { said, ended } = start(...args);
    expect(await ended).toEqual([2, null]);
    expect(said.stderr).toMatch(message);
  });

  it('serves the page to its own origin alone, kills and starts servers, and ends on SIGTERM', async () => {
    const { child, said, ended } = start('--port', '0');
    await expect.poll(() => said.stdout).toContain('Ctrl-C');
    const [address = ''] = /http:\S+/.exec(said.stdout) ?? [];
    expect(await (await fetch(address)).text()).toContain('<textarea');
    expect(
      (await fetch(`${address}/kill/worker`, { method: 'POST', headers: { origin: 'http://elsewhere' } })).status,
    ).toBe(403);
    expect((await fetch(`${address}/kill/nobody`, { method: 'POST' })).status).toBe(404);

    const states = await fetch(`${address}/states`);
    const reader = (states.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
    let heard = '';
    const hears = async (text: string) => {
      heard = '';
      while (!heard.includes(text)) heard += (await reader.read()).value ?? '';
    };
    await hears('"side":"worker","port":');
    expect((await fetch(`${address}/kill/worker`, { method: 'POST' })).status).toBe(204);
    await hears('{"side":"worker"}'); // without a port
    expect((await fetch(`${address}/start/worker`, { method: 'POST' })).status).toBe(204);
    await hears('"side":"worker","port":');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(said.stderr).toBe('');
  });
});
