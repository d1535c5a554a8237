/** Keys of automerge-repo are lists of any texts: none is taken for another, and only lists that begin alike are a range. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { AutomergeRepoStorage } from 'sds-persistence-worker/automerge-repo';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Engine } from '../support/engine.ts';
import { patchOf, sqlite } from '../support/files.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';

const keys = [
  ...[
    [],
    [''],
    ['', ''],
    ['', 'a'],
    ['a'],
    ['a', ''],
    ['a', 'b'],
    ['a', 'b', 'c'],
    ['ab'],
    ['ab', 'c'],
    ['abc'],
    ['A'],
  ],
  // what stands between parts, and what stands for it, as parts and within them
  ...[
    ['\x01'],
    ['a\x01'],
    ['a\x01b'],
    ['a\x01', 'b'],
    ['a', '\x01b'],
    ['a', '\x01', 'b'],
    ['\x01', '\x01'],
    ['\x01\x01'],
  ],
  ...[
    ['\x02'],
    ['a\x02'],
    ['\x02', '0001'],
    ['\x020001'],
    ['\x02\x01'],
    ['\x01\x02'],
    ['\x0200010002'],
    ['a\x020001b'],
  ],
  ...[['\0'], ['a\0'], ['a\0b'], ['a', '\0'], ['\0', '\0']],
  // halves of characters, which UTF-8 has not
  ...[
    ['\ud800'],
    ['\ud801'],
    ['\udc00'],
    ['\ufffd'],
    ['\ud800', '\udc00'],
    ['\ud800\udc00'],
    ['\udc00\ud800'],
    ['a\ud800b'],
  ],
  ...[
    ['%'],
    ['a%'],
    ['_'],
    ['a_'],
    ['ä'],
    ['a\u0308'],
    ['日本', '語'],
    ['日本語'],
    ['\uffff'],
    ['\u{10ffff}'],
    ["'; --"],
  ],
];

function describeOn({ name, freshPlace }: Engine): void {
  describe(`on ${name}`, () => {
    async function open(): Promise<AutomergeRepoStorage> {
      const storage = new AutomergeRepoStorage(await freshPlace());
      onTestFinished(() => storage.close());
      return storage;
    }
    const keysOf = async (storage: AutomergeRepoStorage, prefix: string[]) =>
      (await storage.loadRange(prefix)).map(({ key }) => key);
    const beginningWith = (prefix: string[]) => keys.filter((key) => prefix.every((part, i) => key[i] === part));

    it('each has its own record, and is found with those that begin with the same parts', async () => {
      const storage = await open();
      for (const [i, key] of keys.entries()) void storage.save(key, patchOf(i));
      for (const [i, key] of keys.entries()) {
        expect(await storage.load(key), JSON.stringify(key)).toEqual(patchOf(i));
        expect(await keysOf(storage, key), JSON.stringify(key)).toEqual(beginningWith(key));
      }
      for (const prefix of [['b'], ['abcd'], ['\x01b'], ['0001'], ['日']])
        expect(await keysOf(storage, prefix)).toEqual([]);
    });

    it('each is removed alone, or with those that begin with the same parts', async () => {
      const storage = await open();
      for (const gone of keys) {
        for (const key of keys) void storage.save(key, patchOf('any'));
        void storage.remove(gone);
        expect(await keysOf(storage, []), JSON.stringify(gone)).toEqual(keys.filter((key) => key !== gone));
        void storage.save(gone, patchOf('any'));
        void storage.removeRange(gone);
        const rest = keys.filter((key) => !beginningWith(gone).includes(key));
        expect(await keysOf(storage, []), JSON.stringify(gone)).toEqual(rest);
        await storage.removeRange([]);
      }
      expect(await keysOf(storage, [])).toEqual([]);
    });

    it('what is no list of texts is refused, and so is one that is too long', async () => {
      const storage = await open();
      const bytes = patchOf('any');
      const refused = [undefined, null, 'a', 1, {}, [1], [undefined], ['a', null], [['a']], ['x'.repeat(65_536)]];
      for (const key of refused as string[][]) {
        const calls = [
          storage.load(key),
          storage.loadRange(key),
          storage.save(key, bytes),
          storage.remove(key),
          storage.removeRange(key),
        ];
        for (const call of calls) await expect(call, String(key)).rejects.toMatchObject({ code: 'invalid-argument' });
      }
      await expect(storage.save(['a'], 'text' as never)).rejects.toMatchObject({ code: 'invalid-argument' });
      await storage.save(['x'.repeat(65_535)], bytes);
      expect(await keysOf(storage, [])).toHaveLength(1);
    });

    it('two stores of one database know nothing of each other, nor of patches', async () => {
      const place = await freshPlace();
      await using one = new AutomergeRepoStorage(place, { store: 'one' });
      await using other = new AutomergeRepoStorage(place);
      await using provider = new SDS_DesktopPersistenceProvider(place, 'one', { Ownership: 'shared' });
      await one.save(['a'], patchOf(1));
      await provider.appendPatch(patchOf(2), 1);
      await other.removeRange([]);
      expect(await one.loadRange([])).toEqual([{ key: ['a'], data: patchOf(1) }]);
      expect(await other.loadRange([])).toEqual([]);
      expect(await provider.loadPatchesSince(0)).toHaveLength(1);
    });
  });
}

describeOn(sqlite);
describeOnPostgresql('on a server', () => describeOn(postgresql));
