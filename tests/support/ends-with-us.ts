/** Sees to it that a server, or a program that was stopped, does not outlive the process that started it, SIGKILL included. */
import { spawn } from 'node:child_process';

/**
 * A shell waits for the end of a pipe that only this process holds, then ends the other and removes its folder, if it has one.
 *
 * @returns a function that calls this off
 */
export function endsWithUs(pid: number | undefined, signal: 'QUIT' | 'KILL', folder = ''): () => void {
  if (pid === undefined) return () => undefined; // it could not be started
  const script = 'cat >/dev/null; kill -$1 $0 2>/dev/null; sleep 1; rm -rf "$2"';
  const shell = spawn('sh', ['-c', script, String(pid), signal, folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // what ends this process may be meant for its whole group
    detached: true,
  });
  shell.on('error', () => undefined); // without a shell nobody watches
  shell.unref();
  (shell.stdin as unknown as { unref?(): void } | null)?.unref?.();
  return () => shell.kill('SIGKILL');
}
