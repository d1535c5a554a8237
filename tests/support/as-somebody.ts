/** Programs of another user. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const index = join(import.meta.dirname, '../../dist/index.js');

/** What a program that has the package as `all` prints, run as user and group 1000; `undefined` if that can't be. */
export function asSomebody(text: string): string | undefined {
  const program = (body: string) =>
    `import(${JSON.stringify(index)}).then(async (all) => { ${body} }).catch((error) => console.log(error.code, error.message));`;
  const run = (body: string) =>
    spawnSync(process.execPath, ['-e', program(body)], { uid: 1000, gid: 1000, cwd: '/', encoding: 'utf8' });
  if (process.getuid?.() !== 0 || run('console.log(1)').stdout !== '1\n') return undefined;
  return run(text).stdout;
}
