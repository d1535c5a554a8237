/** Files that another program changes in the moment in which they are opened to be read. */
import { copyFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { freshFolder } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';
import { makeStoreFile } from '../support/store-files.ts';

const packageUrl = JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href);

/** Runs operations in a process in whose threads `patch` was run before, with `sqlite` as the module, and `file`. */
async function told(file: string, patch: string, text: string): Promise<unknown> {
  const preloaded = join(freshFolder(), 'preloaded.cjs');
  writeFileSync(
    preloaded,
    `const { isMainThread } = require('node:worker_threads');
    const fs = require('node:fs');
    const sqlite = require('node:sqlite');
    const file = ${JSON.stringify(file)};
    if (!isMainThread) { ${patch} }`,
  );
  const { stdout, stderr } = await runProgram(
    `const { backupDatabase, copyStores, describeDatabase, verifyDatabase } = await import(${packageUrl});
    const outcome = (promise) => promise.catch(({ code, message }) => code + ': ' + message);
    console.log(JSON.stringify(await outcome((async () => { ${text} })())));`,
    file,
    { flags: ['--require', preloaded] },
  );
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

const operations = {
  verify: 'return (await verifyDatabase(file)).Findings;',
  describe: 'return (await describeDatabase(file)).Stores.map(({ Patches }) => Patches);',
  backup: 'return (await backupDatabase(file, file + ".copy")).Pages > 0;',
  copy: 'return (await copyStores(file, file + ".copy")).Patches;',
};

it.each([
  ['verify', []],
  ['describe', [30, 30]],
  ['backup', true],
  ['copy', 60],
] as const)('%s of a file that becomes longer just then: it is read again, and is sound', async (name, expected) => {
  const folder = freshFolder();
  const whole = join(folder, 'whole.db');
  makeStoreFile(whole);
  const file = join(folder, 'grows.db');
  copyFileSync(whole, file);
  truncateSync(file, readFileSync(whole).length - 4096); // as if the other program had just begun
  // once SQLite has found its end
  const patch = `const { prepare } = sqlite.DatabaseSync.prototype;
    sqlite.DatabaseSync.prototype.prepare = function (...given) {
      try {
        return prepare.apply(this, given);
      } catch (error) {
        fs.copyFileSync(${JSON.stringify(whole)}, file);
        throw error;
      }
    };`;
  expect(await told(file, patch, operations[name])).toEqual(expected);
});

it.each(Object.keys(operations) as (keyof typeof operations)[])(
  '%s of a file that is moved away just then: it fails, and no other one is made in its place',
  async (name) => {
    const folder = freshFolder();
    const file = join(folder, 'store.db');
    makeStoreFile(file);
    const patch = `const { DatabaseSync } = sqlite;
      sqlite.DatabaseSync = class extends DatabaseSync {
        constructor(...given) {
          if (given[0] !== ':memory:' && fs.existsSync(file)) fs.renameSync(file, file + '.away');
          super(...given);
        }
      };`;
    expect(await told(file, patch, operations[name])).toMatch(/^open-failed: /);
    expect(existsSync(file)).toBe(false);
  },
);
