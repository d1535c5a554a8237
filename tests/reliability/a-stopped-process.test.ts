/** A process that is stopped (Ctrl-Z, `docker pause`, a frozen machine) does not wait meanwhile. */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { freshFile, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/** This process, or that one, may get no core for seconds: until it is stopped, and until the lock is given back. */
const BUSY_TIMEOUT_MS = 10_000;

it('a process that is stopped for longer than BusyTimeoutMs while another one writes goes on waiting', async () => {
  const file = freshFile();
  const other = new DatabaseSync(file);
  let wasStopped: Promise<void> | undefined;
  const stopForLong = async (signal: (name: NodeJS.Signals) => void) => {
    signal('SIGSTOP');
    await pause(BUSY_TIMEOUT_MS + 500);
    signal('SIGCONT');
    await pause(100); // the attempt after waking finds the file still locked
    other.exec('COMMIT');
  };
  const ended = runProgram(
    `import { writeSync } from 'node:fs';
const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: ${BUSY_TIMEOUT_MS} });
await provider.ready();
const signalled = stayFor(new Promise((resolve) => process.once('SIGUSR2', resolve)));
writeSync(1, 'ready\\n');
await signalled;
const appended = provider.appendPatch(patchOf(1), 1);
writeSync(1, 'waits\\n');
await appended;`,
    file,
    {
      onOutput(output, signal) {
        if (output === 'ready\n') {
          other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
          signal('SIGUSR2');
        } else if (output.includes('waits')) wasStopped ??= stopForLong(signal);
      },
    },
  );
  expect(await ended).toMatchObject({ code: 0, stderr: '' });
  await wasStopped;
  other.close();
  expect(rowsOf(file).patches).toHaveLength(1);
});
