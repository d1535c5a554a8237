/**
 * The package is loaded into a realm that is not Node's own, with globals of its own, as Jest does for each file of tests:
 * what a load returns is of the realm of the code that calls.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { freshFile, freshFolder } from '../support/files.ts';

const path = join(import.meta.dirname, '../../dist/index.cjs');

/** A realm with nothing but what Jest gives to one with jsdom: modules, `process`, and timers that are numbers. */
function realm(globals: object) {
  const context = createContext({ process, setTimeout: () => 1, clearTimeout() {}, ...globals });
  const load = runInContext(
    `(function (exports, require, module, __filename) {${readFileSync(path, 'utf8')}\n})`,
    context,
  );
  const module: { exports: Partial<typeof import('sds-persistence-worker')> } = { exports: {} };
  load(module.exports, createRequire(path), module, path);
  return { ...module.exports, run: (text: string) => runInContext(text, Object.assign(context, module.exports)) };
}

describe('in a realm of its own', () => {
  it('every load returns bytes of it, and errors are of it', async () => {
    const { run } = realm({ file: freshFile() });
    const kinds = await run(`(async () => {
      const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      const kept = [];
      for (const length of [0, 3, 300_000]) {
        await provider.saveSnapshot(new Uint8Array(length), 0);
        await provider.saveValue('value of ' + length, new Uint8Array(length));
        await provider.appendPatch(new Uint8Array(length), length);
        kept.push(await provider.loadSnapshot(), await provider.loadValue('value of ' + length));
      }
      kept.push(...(await provider.loadPatchesSince(-1)));
      const none = await provider.loadValue('none');
      const wrong = await provider.appendPatch('text', 1).catch((error) => error);
      await provider.close();
      return [
        kept.map((bytes) => bytes instanceof Uint8Array && bytes.constructor === Uint8Array && bytes.length),
        none,
        wrong instanceof Error,
      ];
    })()`);
    const lengths = [0, 0, 3, 3, 300_000, 300_000];
    expect(structuredClone(kinds)).toEqual([[...lengths, 0, 3, 300_000], undefined, true]);
  });

  it('so is all that whole stores and records are returned in', async () => {
    const { run } = realm({ file: freshFile() });
    const kinds = await run(`(async () => {
      const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      await provider.saveSnapshot(new Uint8Array(3), 0);
      await provider.appendPatch(new Uint8Array(2), 1);
      await provider.saveRecord('key', new Uint8Array(1));
      const contents = await provider.loadStore();
      const records = await provider.loadRecords();
      const stores = await provider.listStores();
      const bytes = [contents.Snapshot, ...contents.Patches, records[0].Data, await provider.loadRecord('key')];
      const compacted = await provider.compactStore(new Uint8Array(4), contents);
      await provider.close();
      return [
        bytes.map((each) => each instanceof Uint8Array && each.length),
        [contents, records[0]].map((each) => Object.getPrototypeOf(each) === Object.prototype),
        [contents.Patches, records, stores].map((each) => each instanceof Array),
        stores.join(),
        compacted,
      ];
    })()`);
    expect(structuredClone(kinds)).toEqual([[3, 2, 1, 1], [true, true], [true, true, true], 'store', true]);
  });

  it('bytes of any realm are stored, copied or handed over', async () => {
    const { run } = realm({ file: freshFile(), theirs: (length: number) => new Uint8Array(length).fill(length % 251) });
    const result = await run(`(async () => {
      const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      const left = [];
      for (const length of [10, 100_000, 1_000_000]) {
        for (const bytes of [theirs(length), new Uint8Array(length).fill(length % 251)]) {
          await provider.saveValue('copied ' + length, bytes);
          left.push(bytes.length);
          await provider.saveValue('handed over ' + length, transfer(bytes, [bytes.buffer]));
          left.push(bytes.length);
        }
      }
      const right = [];
      for (const length of [10, 100_000, 1_000_000]) {
        for (const how of ['copied ', 'handed over ']) {
          const found = await provider.loadValue(how + length);
          right.push(found.length === length && found.every((byte) => byte === length % 251));
        }
      }
      await provider.close();
      return [left, right];
    })()`);
    const left = [10, 100_000, 1_000_000].flatMap((length) => [length, 0, length, 0]);
    expect(structuredClone(result)).toEqual([left, new Array(6).fill(true)]);
  });

  it('whole files are looked after', async () => {
    const folder = freshFolder();
    const { run } = realm({ folder });
    const result = await run(`(async () => {
      const provider = new SDS_DesktopPersistenceProvider(folder + '/a.db', 'store');
      await provider.appendPatch(new Uint8Array(3), 1);
      await provider.close();
      await backupDatabase(folder + '/a.db', folder + '/b.db');
      const { Sound } = await verifyDatabase(folder + '/b.db');
      const { Stores } = await describeDatabase(folder + '/b.db');
      return [Sound, Stores[0].Patches];
    })()`);
    expect(structuredClone(result)).toEqual([true, 1]);
  });
});
