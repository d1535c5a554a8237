/** What the example's tests share: whether they can run, and its processes with their end. */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { isInstalled } from '../install.ts';
import type { ServerOrder, ServerReport, Side } from '../protocol/control.ts';

export const root = join(import.meta.dirname, '..');

/** Why tests of the example are left out, or undefined. */
export const noPackages = isInstalled()
  ? undefined
  : "left out: the packages of examples/live are not installed ('node examples/live/install.ts' does it)";
export const noBrowser =
  noPackages ??
  ((await import('../browser.ts')).browserPath === undefined
    ? "left out: there is no Chromium or Chrome on this machine ('apt-get install chromium', or CHROMIUM_PATH)"
    : undefined);

/** A folder of this test's own, removed when it has ended. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sds-live-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface RunningServer {
  child: ChildProcess;
  port: number;
  /** A room's address. */
  room(name: string): string;
  order(order: ServerOrder): void;
  happened: string[];
  /** Once it has reported something like this. */
  whenHappened(what: RegExp): Promise<string>;
  /** @returns its exit code, or the signal's name */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

/** The server's program, as `npm run live` starts it. */
export async function startServer(side: Side, folder: string, more: string[] = []): Promise<RunningServer> {
  const args = ['--provider', side, '--db', folder, ...more];
  const child = fork(join(root, 'server/main.ts'), args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? signal)),
  );
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const happened: string[] = [];
  const waiting: { what: RegExp; tell: (text: string) => void }[] = [];
  const port = await new Promise<number>((resolve, reject) => {
    child.on('message', (report: ServerReport) => {
      if (report.kind === 'listening') resolve(report.port);
      if (report.kind !== 'happened') return;
      happened.push(report.text);
      for (const { what, tell } of waiting) if (what.test(report.text)) tell(report.text);
    });
    void ended.then((how) => reject(new Error(`the server ended with ${how} before it listened`)));
  });
  return {
    child,
    port,
    room: (name) => `ws://127.0.0.1:${port}/${name}`,
    order: (order) => child.send(order),
    happened,
    whenHappened: async (what) =>
      happened.find((text) => what.test(text)) ?? new Promise((tell) => waiting.push({ what, tell })),
    end: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}

export function exists(...path: string[]): boolean {
  return existsSync(join(...path));
}
