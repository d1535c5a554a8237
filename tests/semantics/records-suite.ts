/** Records, as one suite that any implementation runs. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IN_PARCEL } from '../../src/protocol/entries.ts';
import type { ExtendedProvider } from '../support/extended-reference.ts';
import { freshFile, patchOf } from '../support/files.ts';
import { text } from './contract-suite.ts';
import type { OpenExtended } from './whole-stores-suite.ts';

export function describeRecords(
  name: string,
  open: OpenExtended,
  freshPlace: () => string | Promise<string> = freshFile,
): void {
  describe(`records, kept by ${name}`, () => {
    let dbPath: string;
    const opened: ExtendedProvider[] = [];
    const store = (storeId = 'store'): ExtendedProvider => {
      const provider = open(dbPath, storeId);
      opened.push(provider);
      return provider;
    };
    const recordsOf = async (provider: ExtendedProvider, prefix?: string) =>
      (await provider.loadRecords(prefix)).map(({ Key, Data }) => [Key, text(Data)]);
    const keysOf = async (provider: ExtendedProvider, prefix?: string) =>
      (await provider.loadRecords(prefix)).map(({ Key }) => Key);

    beforeEach(async () => {
      dbPath = await freshPlace();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((provider) => provider.close()));
    });

    it('has none at first, and to remove what is not there is no error', async () => {
      const provider = store();
      expect(await provider.loadRecord('key')).toBeUndefined();
      expect(await provider.loadRecords()).toEqual([]);
      expect(await provider.loadRecords('key')).toEqual([]);
      await provider.removeRecord('key');
      await provider.removeRecords('');
      await provider.saveRecord('key', patchOf('record'));
      await provider.removeRecord('another');
      expect(await recordsOf(provider)).toEqual([['key', 'patch record']]);
    });

    it('keeps what was saved last under a key, and an empty record is not none', async () => {
      const provider = store();
      await provider.saveRecord('key', patchOf('first'));
      await provider.saveRecord('key', patchOf('second'));
      await provider.saveRecord('empty', new Uint8Array(0));
      expect(text(await provider.loadRecord('key'))).toBe('patch second');
      expect(await provider.loadRecord('empty')).toEqual(new Uint8Array(0));
      expect(await provider.loadRecord('ke')).toBeUndefined();
    });

    it('returns them in the order in which they were made: saved again a record keeps its place, made anew it is the last', async () => {
      const provider = store();
      for (const key of ['c', 'a', 'b']) await provider.saveRecord(key, patchOf(key));
      await provider.saveRecord('a', patchOf('again'));
      expect(await recordsOf(provider)).toEqual([
        ['c', 'patch c'],
        ['a', 'patch again'],
        ['b', 'patch b'],
      ]);
      await provider.removeRecord('c');
      await provider.saveRecord('c', patchOf('anew'));
      expect(await keysOf(provider)).toEqual(['a', 'b', 'c']);
      await provider.removeRecord('c');
      await provider.saveRecord('0', patchOf('0'));
      await provider.saveRecord('c', patchOf('anew'));
      expect(await keysOf(provider)).toEqual(['a', 'b', '0', 'c']);
    });

    it('takes a prefix as it is written: letter by letter, without patterns, whatever letters there are', async () => {
      const provider = store();
      const keys = [
        ...['', 'a', 'A', 'ab', 'abc', 'b', 'a%', 'a_c', 'a*', 'a\0', 'a\0b', '\0'],
        ...[
          'ä',
          'a\u0308',
          'a\ud7ff',
          'a\ue000',
          'a\uffff',
          'a\uffffz',
          'a😀',
          'a😀😀',
          'a😁',
          'a\u{10ffff}',
          'a\u{10ffff}b',
        ],
        ...['\u{10ffff}', '\u{10ffff}\u{10ffff}', '\x7f', '\x7fa', '\x80', '\u07ff', '\u0800', '日本', '日本語', '日'],
        ...['\ufeff', '\ufeffa'],
      ];
      for (const key of keys) void provider.saveRecord(key, patchOf(key));
      for (const prefix of [...keys, 'nothing', 'ab\0', 'a%b', '\u{10fffe}']) {
        const wanted = keys.filter((key) => key.startsWith(prefix));
        expect(await keysOf(provider, prefix), JSON.stringify(prefix)).toEqual(wanted);
      }
      for (const prefix of ['a\u{10ffff}', '\x7f', 'a\0', '\u{10ffff}', '日本', '']) {
        void provider.removeRecords(prefix);
        for (let i = keys.length; i-- > 0; ) if (keys[i]?.startsWith(prefix)) keys.splice(i, 1);
        expect(await keysOf(provider), `without ${JSON.stringify(prefix)}`).toEqual(keys);
      }
      expect(keys).toEqual([]);
    });

    it('takes any text for a key, long ones and lone surrogates as well', async () => {
      const provider = store();
      const keys = [
        "'; DROP TABLE sds_records; --",
        'ä€𝄞',
        'x'.repeat(65_536),
        'ä'.repeat(32_768),
        '\ud800 lone',
        'with\0nul',
        IN_PARCEL, // what the library itself has in the place of a key
      ];
      for (const [i, key] of keys.entries()) await provider.saveRecord(key, patchOf(i));
      for (const [i, key] of keys.entries()) {
        expect(text(await provider.loadRecord(key))).toBe(`patch ${i}`);
        expect(await keysOf(provider, key)).toEqual([key.toWellFormed()]);
      }
      for (const key of keys) await provider.removeRecord(key);
      expect(await provider.loadRecords()).toEqual([]);
    });

    it('keeps the records of stores apart, and does not take them for values or patches', async () => {
      const [a, b] = [store('a'), store('b')];
      await a.saveRecord('key', patchOf('of a'));
      await b.saveRecord('key', patchOf('of b'));
      await a.saveValue('key', patchOf('value'));
      await b.removeRecords('');
      expect(await recordsOf(a)).toEqual([['key', 'patch of a']]);
      expect(await b.loadRecords()).toEqual([]);
      expect(await a.loadPatchesSince(0)).toEqual([]);
      expect(text(await b.loadValue('key'))).toBe('patch value');
    });

    it('carries out calls in their order, among others, also if none is awaited', async () => {
      const provider = store();
      const calls = [
        provider.appendPatch(patchOf(1), 1),
        provider.saveRecord('a', patchOf('a')),
        provider.saveRecord('a b', patchOf('a b')),
        provider.saveRecord('large', new Uint8Array(300_000)),
        provider.removeRecords('a'),
        provider.saveRecord('a', patchOf('anew')),
        provider.removeRecord('large'),
        provider.appendPatch(patchOf(2), 2),
      ];
      const found = recordsOf(provider);
      const later = provider.saveRecord('later', patchOf('later'));
      expect(await found).toEqual([['a', 'patch anew']]);
      await Promise.all([...calls, later]);
      expect(await provider.loadPatchesSince(0)).toHaveLength(2);
    });

    it('stores bytes of every size as they are, and loads many records at once', async () => {
      const provider = store();
      const sizes = [0, 1, 65_536, 65_537, 131_072, 131_073, 3_000_001, ...Array.from({ length: 2000 }, (_, i) => i)];
      const bytesOf = (i: number) => new Uint8Array(sizes[i] ?? 0).fill(i % 251);
      for (const i of sizes.keys()) void provider.saveRecord(`key ${i}`, bytesOf(i));
      const records = await provider.loadRecords();
      expect(records.map(({ Key }) => Key)).toEqual(sizes.map((_, i) => `key ${i}`));
      const differing = records.filter(({ Data }, i) => Buffer.compare(Data, bytesOf(i)) !== 0);
      expect(differing.map(({ Key }) => Key)).toEqual([]);
      for (const i of [0, 2, 6]) expect(await provider.loadRecord(`key ${i}`)).toEqual(bytesOf(i));
    });

    it('finds them again after it was closed and opened', async () => {
      const first = store();
      for (let i = 0; i < 100; i++) void first.saveRecord(`key ${i}`, patchOf(i));
      await first.close();
      const second = store();
      expect((await recordsOf(second)).map(([key]) => key)).toEqual(Array.from({ length: 100 }, (_, i) => `key ${i}`));
      expect(await recordsOf(second, 'key 99')).toEqual([['key 99', 'patch 99']]);
    });
  });
}
