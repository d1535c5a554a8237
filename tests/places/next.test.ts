/** A Next.js application, built to stand alone, and moved: a route of it stores what is sent to it, also when the server is ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { installed, place, runNode } from '../package/a-fresh-machine.ts';
import { freshFolder } from '../support/files.ts';
import { freePort } from '../support/postgresql-address.ts';
import { rowsOf } from '../support/rows.ts';

/** Where Next.js is installed. */
const root = join(import.meta.dirname, 'next');

const sources = {
  'next.config.mjs': `export default { output: 'standalone', outputFileTracingRoot: ${JSON.stringify(root)}, turbopack: { root: ${JSON.stringify(root)} } };`,
  'package.json': JSON.stringify({ private: true, dependencies: { 'sds-persistence-worker': '*' } }),
  'app/layout.jsx': "export default ({ children }) => <html lang='en'><body>{children}</body></html>;",
  'app/page.jsx': 'export default () => <p>up</p>;',
  'app/patches/route.js': `
    import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
    export const dynamic = 'force-dynamic';
    let provider;
    let clock = 0;
    export async function POST(request) {
      provider ??= new SDS_DesktopPersistenceProvider(process.env.DATABASE, 'notes');
      provider.appendPatch(new Uint8Array(await request.arrayBuffer()), ++clock).catch(() => {});
      return Response.json((await provider.loadPatchesSince(0)).length);
    }`,
};

async function build(): Promise<string> {
  const folder = mkdtempSync(join(root, 'app-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['app', 'app/patches']) mkdirSync(join(folder, name));
  for (const [name, text] of Object.entries(sources)) place(folder, name, text);
  const modules = join(await installed(), 'node_modules');
  cpSync(join(modules, 'sds-persistence-worker'), join(folder, 'node_modules/sds-persistence-worker'), {
    recursive: true,
  });
  const next = join(root, 'node_modules/next/dist/bin/next');
  const built = await runNode([next, 'build'], { cwd: folder, env: { NEXT_TELEMETRY_DISABLED: '1' } });
  if (built.exitCode !== 0) throw new Error(`${built.stdout}\n${built.stderr}`);
  const elsewhere = freshFolder();
  cpSync(join(folder, '.next/standalone'), elsewhere, { recursive: true, verbatimSymlinks: true });
  rmSync(folder, { recursive: true });
  return join(elsewhere, basename(folder));
}

function start(folder: string, env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, ['server.js'], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** Resolves once it has said so. */
async function isReady(child: ChildProcess): Promise<void> {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text) => (said += text));
  while (!said.includes('Ready')) {
    const ended = once(child, 'exit').then(() => {
      throw new Error(said);
    });
    await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), ended]);
  }
}

it('stands alone', { timeout: 600_000 }, async () => {
  const folder = await build();
  const database = join(freshFolder(), 'notes.db');
  const port = await freePort();
  const server = start(folder, { DATABASE: database, PORT: String(port), HOSTNAME: '127.0.0.1' });
  await isReady(server);
  for (const expected of [1, 2, 3]) {
    const answer = await fetch(`http://127.0.0.1:${port}/patches`, { method: 'POST', body: 'patch' });
    expect(await answer.json()).toBe(expected);
  }
  server.kill('SIGTERM');
  await once(server, 'exit');
  expect(rowsOf(database).patches).toHaveLength(3);
});
