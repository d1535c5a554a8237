/**
 * A Hocuspocus server with large documents, each process by itself: clients type in another one. What are the longest turns of the
 * server's main thread, and how much memory does it take? And what is left when it is killed in mid-typing?
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { endsWithUs } from '../../tests/support/ends-with-us.ts';
import type { NamedWork } from './work.ts';

/** A process that answers each message with one. */
class Asked {
  readonly child: ChildProcess;
  readonly #exit: Promise<never>;

  constructor(file: string, ...args: string[]) {
    this.child = fork(join(import.meta.dirname, file), args, {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.child.once('exit', endsWithUs(this.child.pid, 'KILL'));
    this.#exit = once(this.child, 'exit').then(([code, signal]) => {
      throw new Error(`${file} ${args[0]} ended with ${signal ?? code}`);
    });
    this.#exit.catch(() => {}); // whoever waits for an answer is told
  }

  async says(): Promise<Record<string, number>> {
    const [answer] = await Promise.race([once(this.child, 'message'), this.#exit]);
    return answer;
  }

  ask(question: string): Promise<Record<string, number>> {
    const answer = this.says();
    this.child.send(question);
    return answer;
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#exit.catch(() => {}); // so it does
  }
}

export const processOf = (what: string, who: string, folder: string, ...more: (string | number)[]) =>
  new Asked('document-process.mjs', what, who, folder, ...more.map(String));

const clientsOf = async (server: Asked, names: readonly string[], perSecond: number) => {
  const { url } = await server.says();
  const clients = new Asked('document-clients.mjs', `${url}`, names.join(','), `${perSecond}`);
  await clients.says();
  return clients;
};

export const documentServer: NamedWork = async ({ who, folder, sizes }) => {
  const { documents = 1, bytes = 1000, perSecond = 10, warmMs = 0, seconds = 1, quietSeconds = 0 } = sizes;
  const { stateBytes = 0 } = await processOf('fill', who, folder, documents, bytes).says();
  const server = processOf('serve', who, folder);
  const names = Array.from({ length: documents }, (_, i) => `document ${i}`);
  const clients = await clientsOf(server, names, perSecond);
  clients.child.send('type');
  await pause(warmMs);
  await server.ask('watch');
  await pause(seconds * 1000);
  const { mainMs = 0, ...turns } = await server.ask('turns');
  await clients.ask('stop');
  const { peakMiB = 0 } = await server.ask('memory');
  await pause(quietSeconds * 1000);
  const { nowMiB = 0 } = await server.ask('memory');
  await clients.kill();
  await server.kill();
  const memory: Record<string, number> = quietSeconds > 0 ? { peakMiB, quietMiB: nowMiB } : { peakMiB };
  return { ...turns, mainUs: (mainMs * 1000) / (perSecond * seconds), ...memory, stateMiB: stateBytes / 1024 ** 2 };
};

export const documentServerKilled: NamedWork = async ({ who, folder, sizes }) => {
  const { perSecond = 40, seconds = 1 } = sizes;
  const server = processOf('serve', who, folder);
  const clients = await clientsOf(server, ['notes'], perSecond);
  clients.child.send('type');
  await pause(seconds * 1000);
  await server.kill();
  const { acknowledged = 0 } = await clients.ask('stop');
  await clients.kill();
  const { length = 0 } = await processOf('read', who, folder, 'notes').says();
  return { acknowledged, found: length, lost: Math.max(acknowledged - length, 0) };
};
