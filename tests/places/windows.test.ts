/** On Windows: what holds in every runtime, and what is peculiar to its files. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installed, place, resultOf } from '../package/a-fresh-machine.ts';
import { rowsOf } from '../support/rows.ts';
import { leaveOut } from './left-out.ts';
import { describeRuntime } from './runtime-suite.ts';
import { beginWine, endWine, hasWine, howToHaveWine, runInWine } from './wine.ts';

/** What programs have at hand: `open` a provider, `outcomeOf` a promise, `bytes`. */
const tools = `
import * as library from 'sds-persistence-worker';
import fs from 'node:fs';
import path from 'node:path';
const { backupDatabase, compactDatabase, describeDatabase, restoreDatabase, SDS_DesktopPersistenceProvider } = library;
const bytes = new Uint8Array(3);
const open = (name) => new SDS_DesktopPersistenceProvider(name, 'store', { BusyTimeoutMs: 300 });
const outcomeOf = (promise) => promise.then(() => 'done', ({ code }) => code);
const messageOf = (promise) => promise.then(() => 'done', ({ code, message }) => code + ': ' + message);
const print = (value) => console.log(JSON.stringify(value));
`;

async function printed(text: string): Promise<{ folder: string; value: unknown }> {
  const folder = await installed();
  place(folder, 'program.mjs', tools + text);
  return { folder, value: resultOf(await runInWine(folder, ['program.mjs']), 'program.mjs') };
}

it.runIf(!hasWine)('Windows', (context) => leaveOut(context, howToHaveWine));

describe.runIf(hasWine)('Windows', () => {
  beforeAll(beginWine);
  afterAll(endWine);

  describeRuntime({ name: 'Node for Windows', run: (folder, args) => runInWine(folder, args), hasSignals: false });

  it('a file that another program shares with nobody can not be opened, the message says why, and later it can', async () => {
    const { value } = await printed(`
      const first = open('store.db');
      await first.appendPatch(bytes, 1);
      await first.close();
      const EXCLUSIVELY = 0x10000000; // of libuv
      const held = fs.openSync('store.db', fs.constants.O_RDWR | EXCLUSIVELY);
      const provider = open('store.db');
      const messages = [
        await messageOf(provider.appendPatch(bytes, 2)),
        await messageOf(describeDatabase('store.db')),
        await messageOf(backupDatabase('store.db', 'backup.db')),
      ];
      fs.closeSync(held);
      await provider.appendPatch(bytes, 3);
      const { length } = await provider.loadPatchesSince(0);
      await provider.close();
      print({ messages, length });
    `);
    expect(value).toEqual({ messages: Array(3).fill(expect.stringMatching(/^open-failed: .*EBUSY/)), length: 2 });
  });

  it('two spellings of a file are one, and of one that is not there yet neither loses anything', async () => {
    const { folder, value } = await printed(`
      const seen = [];
      for (const first of [1, 101]) {
        const [one, other] = [open('Notes.db'), open(path.resolve('nOTES.db'))];
        const calls = [];
        for (let clock = first; clock < first + 100; clock++) calls.push([one, other][clock % 2].appendPatch(bytes, clock));
        // of a file that is there, a read sees all that was called before it, in whatever spelling
        if (first === 101) seen.push((await other.loadPatchesSince(0)).length);
        await Promise.all(calls);
        seen.push((await other.loadPatchesSince(0)).length);
        await one.close();
        await other.close();
      }
      print({ seen, files: fs.readdirSync('.').filter((name) => name.includes('.db')).length });
    `);
    expect(value).toEqual({ seen: [100, 200, 200], files: 1 });
    const [name = ''] = readdirSync(folder).filter((file) => file.endsWith('.db'));
    expect(rowsOf(join(folder, name)).patches).toHaveLength(200);
  });

  it('however a path is written, it leads to the same file: drive, slashes, UNC, URL', async () => {
    const { value } = await printed(`
      const file = path.resolve('store.db');
      const one = open(file);
      await one.ready();
      const slashes = file.replaceAll('\\\\', '/');
      const spellings = {
        lowerCaseDrive: file[0].toLowerCase() + file.slice(1),
        slashes,
        url: 'file:///' + slashes,
        unc: '\\\\\\\\?\\\\' + file,
        device: '\\\\\\\\.\\\\' + file,
      };
      const seen = {};
      let clock = 0;
      for (const [name, spelling] of Object.entries(spellings)) {
        const other = open(spelling);
        for (let i = 0; i < 10; i++) one.appendPatch(bytes, ++clock).catch(() => {});
        seen[name] = (await other.loadPatchesSince(0)).length;
        await other.close();
      }
      await one.close();
      print(seen);
    `);
    expect(value).toEqual({ lowerCaseDrive: 10, slashes: 20, url: 30, unc: 40, device: 50 });
  });

  it('a file that is open is not replaced, and once it is closed it is', async () => {
    const { value } = await printed(`
      const provider = open('store.db');
      await provider.appendPatch(bytes, 1);
      await provider.backup('backup.db');
      await provider.appendPatch(bytes, 2);
      const restore = () => outcomeOf(restoreDatabase('backup.db', 'store.db', { Overwrite: true }));
      const outcomes = [await restore(), await outcomeOf(compactDatabase('store.db'))];
      await provider.close();
      outcomes.push(await restore(), await outcomeOf(compactDatabase('store.db')));
      const again = open('store.db');
      const { length } = await again.loadPatchesSince(0);
      await again.close();
      print({ outcomes, length, files: fs.readdirSync('.').filter((name) => name.includes('.db')) });
    `);
    expect(value).toEqual({
      outcomes: ['database-busy', 'database-busy', 'done', 'done'],
      length: 1,
      files: ['backup.db', 'store.db'],
    });
  });

  it('names that mean no file of that name are refused, by whatever opens one', async () => {
    const { value } = await printed(`
      const outcomes = {};
      for (const name of ['NUL', 'NUL.db', 'aux', 'Com1.db', 'lpt9.', 'con.tar.db', 'store.db.', 'store.db ']) {
        const provider = open(path.resolve(name));
        outcomes[name] = [
          await outcomeOf(provider.appendPatch(bytes, 1)),
          await outcomeOf(describeDatabase(path.resolve(name))),
          await outcomeOf(backupDatabase('store.db', path.resolve(name))),
        ].join();
        await provider.close().catch(() => {});
      }
      const others = ['auxiliary.db', 'com10.db', 'nul-.db'].map(open);
      await Promise.all(others.map((provider) => provider.appendPatch(bytes, 1)));
      await Promise.all(others.map((provider) => provider.close()));
      print({ outcomes: [...new Set(Object.values(outcomes))], files: fs.readdirSync('.').filter((name) => name.endsWith('.db')) });
    `);
    expect(value).toEqual({
      outcomes: ['open-failed,open-failed,open-failed'],
      files: ['auxiliary.db', 'com10.db', 'nul-.db'],
    });
  });

  it('paths of 300 characters are as good as others', async () => {
    const { value } = await printed(`
      let folder = path.resolve('.');
      while (folder.length < 240) folder = path.join(folder, 'x'.repeat(40));
      fs.mkdirSync(folder, { recursive: true });
      const file = path.join(folder, 'y'.repeat(296 - folder.length) + '.db');
      const provider = open(file);
      await provider.appendPatch(bytes, 1);
      const backup = path.join(folder, 'backup.db');
      await provider.backup(backup);
      await provider.close();
      const { Stores } = await describeDatabase(backup);
      print({ length: file.length, patches: Stores[0].Patches });
    `);
    expect(value).toEqual({ length: 300, patches: 1 });
  });

  it('an operation that can not remove all that it made unlocks it, so that the next one removes it', async () => {
    const { value } = await printed(`
      const provider = open('store.db');
      await provider.appendPatch(new Uint8Array(20_000_000), 1);
      const stem = () => fs.readdirSync('.').flatMap((name) => /^(sds-partial-.*)\\.db$/.exec(name)?.[1] ?? [])[0];
      let inTheWay;
      const OnProgress = () => {
        if (inTheWay !== undefined || stem() === undefined) return;
        inTheWay = stem() + '.db-journal';
        fs.mkdirSync(inTheWay);
      };
      await backupDatabase('store.db', 'backup.db', { OnProgress }).catch(() => {});
      fs.rmdirSync(inTheWay);
      const outcome = await outcomeOf(backupDatabase('store.db', 'another.db'));
      await provider.close();
      print({ outcome, left: fs.readdirSync('.').filter((name) => name.startsWith('sds-partial-')) });
    `);
    expect(value).toEqual({ outcome: 'done', left: [] });
  });
});
