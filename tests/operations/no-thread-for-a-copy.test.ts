/** A copy of stores where no thread can live, while one that has made a backup is idle: that one does not copy. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

it('a copy whose thread can not begin is refused at once, with the reason: no thread after thread is started for it', async () => {
  const program = `const { backupDatabase, copyStores } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href)});
import { subscribe } from 'node:diagnostics_channel';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
const provider = new SDS_DesktopPersistenceProvider(file, 'store');
await provider.appendPatch(new Uint8Array(10), 1);
await provider.close();
const folder = mkdtempSync(join(tmpdir(), 'left-'));
process.chdir(folder);
await backupDatabase(file, file + '.backup');
rmdirSync(folder);
let threads = 0;
subscribe('worker_threads', () => threads++);
const { code, message } = await copyStores(file, file + '.copy').catch((error) => error);
console.log(code, threads, message.replace(/^.*: no/, 'no'));`;
  const { stdout } = await runProgram(program, freshFile());
  expect(stdout).toMatch(/^worker-lost 1 no thread could be started \(.*cwd.*\)\n$/);
});
