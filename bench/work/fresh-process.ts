/** Work for a process that has loaded nothing yet: what it says as JSON in its last line. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Runs `fresh-process.mjs`, plain JavaScript: loading TypeScript costs more memory and time than all that is measured. */
export async function runFresh(...args: string[]): Promise<Record<string, number>> {
  const file = fileURLToPath(new URL('./fresh-process.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    file,
    ...args,
  ]);
  return JSON.parse(stdout) as Record<string, number>;
}
