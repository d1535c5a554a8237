/** Starts the example, prints its address, and ends it on Ctrl-C. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { LiveArguments } from '../arguments.ts';
import { ListenError } from '../server/listening.ts';
import { Front, StartError } from './front.ts';

/** On the same disk as the checkout; a system's folder for temporary files is often in memory. */
const out = join(import.meta.dirname, '../out');

export async function live({ port, host, folder: kept, open }: LiveArguments): Promise<number> {
  const folder = kept ?? temporaryFolder();
  let front: Front | undefined;
  try {
    const stopped = new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
    });
    front = await Front.start({ port, host, folder });
    await Promise.race([front.ready(), stopped]);
    console.log(`\n  ${front.address}\n`);
    if (front.loopback) console.log('Only this machine can open it; --host says otherwise.');
    else console.log(`Everyone who can reach ${host} can open it, and press its buttons.`);
    console.log(kept === undefined ? 'Documents are gone at the end; --db FOLDER keeps them.' : `Documents: ${kept}`);
    console.log('Ctrl-C ends it.');
    if (open) openBrowser(front.address);
    await Promise.race([stopped, front.failed]);
    console.log('\nSaving the documents ...');
    return 0;
  } catch (error) {
    if (!(error instanceof ListenError || error instanceof StartError)) throw error;
    console.error(error.message);
    return 2;
  } finally {
    await front?.stop();
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

export function temporaryFolder(): string {
  mkdirSync(out, { recursive: true });
  return mkdtempSync(join(out, 'documents-'));
}

function openBrowser(address: string): void {
  const [command = '', ...args] =
    process.platform === 'darwin' ? ['open'] : process.platform === 'win32' ? ['cmd', '/c', 'start', ''] : ['xdg-open'];
  const browser = spawn(command, [...args, address], { stdio: 'ignore', detached: true });
  browser.once('error', () => console.error(`No browser could be opened by '${command}'; open the address yourself.`));
  browser.unref();
}
