/** `npm run live` as a person starts it: what it prints, and how it ends. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { exists, freshFolder, noPackages, root } from './support.ts';

/** Runs the command until it ends; `onOutput` may send it signals. */
function live(args: string[], onOutput = (_text: string, _kill: (signal: NodeJS.Signals) => void) => {}) {
  const child = spawn(process.execPath, [join(root, 'main.ts'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = { code: null as number | null, stdout: '', stderr: '' };
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ended.stderr += text;
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ended.stdout += text;
    onOutput(ended.stdout, (signal) => child.kill(signal));
  });
  return new Promise<typeof ended>((resolve) =>
    child.once('close', (code) => {
      ended.code = code;
      resolve(ended);
    }),
  );
}

/** Somebody else's server, on a port of its own. */
async function taken(port = 0): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a server on a port has an address with it');
  return address.port;
}

/** A port that is taken, with free ones beside it: other tests have servers of their own. */
async function takenAlone(): Promise<number> {
  for (;;) {
    const port = await taken();
    if ((await isFree(port - 1)) && (await isFree(port + 1))) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

describe('npm run live', () => {
  it('tells its options, and needs nothing for that', async () => {
    const { code, stdout } = await live(['--help']);
    expect(code).toBe(0);
    for (const option of ['--port', '--host', '--db', '--open', '--record', '--soak']) expect(stdout).toContain(option);
  });

  it.each([
    [['--port', 'x'], "--port must be an integer from 0 to 65535, not 'x'."],
    [['--port', '65535'], '--port leaves no room for the two ports after it.'],
    [['--nonsense'], "Unknown option '--nonsense'; --help lists the options."],
    [['folder'], "There is no argument 'folder'; --help lists the options."],
    [['--db', ''], '--db needs the path of a folder.'],
    [['--soak', '-1'], 'Unknown option'],
    [['--soak', '0'], "--soak takes minutes, up to 600, not '0'."],
  ])('%j is a sentence and exit code 2', async (args, sentence) => {
    const { code, stderr } = await live(args);
    expect(code).toBe(2);
    expect(stderr).toContain(sentence);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

if (noPackages !== undefined) console.warn(`examples/live, the command: ${noPackages}`);

describe.skipIf(noPackages !== undefined)('npm run live, once its packages are there', () => {
  it("a port that is taken is a sentence, be it the page's or a server's", async () => {
    const port = await takenAlone();
    const { code, stderr } = await live(['--port', String(port)]);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `Port ${port} is taken on 127.0.0.1; name another with --port N.\n`,
    });
    const second = await live(['--port', String(port - 1)]);
    expect({ code: second.code, stderr: second.stderr }).toMatchObject({ code: 2 });
    expect(second.stderr).toContain('is taken on 127.0.0.1; name another with --port N.');
    expect(second.stderr).not.toContain('    at ');
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'prints its address, binds to loopback and says so; %s ends it',
    async (signal) => {
      const folder = freshFolder();
      let asked = false;
      const { code, stdout, stderr } = await live(['--port', '0', '--db', folder], (text, kill) => {
        if (asked || !text.includes('Ctrl-C')) return;
        asked = true;
        kill(signal);
      });
      expect(stdout).toMatch(/http:\/\/127\.0\.0\.1:\d+/);
      expect(stdout).toContain('Only this machine can open it; --host says otherwise.');
      expect(stdout).toContain(`Documents: ${folder}`);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(exists(folder, 'worker') && exists(folder, 'synchronous')).toBe(true);
    },
  );

  it('a short soak: memory is flat, no socket and no log is left, the file is small', async () => {
    const { code, stdout, stderr } = await live(['--soak', '0.05']);
    expect({ code, stderr, stdout }).toEqual({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('no log is left'),
    });
  });
});
