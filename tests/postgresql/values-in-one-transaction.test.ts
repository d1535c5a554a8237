/** Saves and releases of a value that cross together leave what they would leave one by one. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';

const SAVE = 'S';
const RELEASE = 'R';

/** All orders of so many saves and releases. */
function ordersOf(length: number): string[] {
  if (length === 0) return [''];
  return ordersOf(length - 1).flatMap((order) => [order + SAVE, order + RELEASE]);
}

interface Left {
  ref_count: number;
  data: string;
}

/** What is left of a value: its references, and the bytes of which save. */
function leftBy(calls: string): Left | undefined {
  let left: Left | undefined;
  for (const [at, call] of [...calls].entries()) {
    if (call === SAVE) {
      left ??= { ref_count: 0, data: Buffer.from(patchOf(at)).toString('hex') };
      left.ref_count++;
    } else if (call === RELEASE && left !== undefined && --left.ref_count === 0) left = undefined;
  }
  return left;
}

describeOnPostgresql('saves and releases of one transaction', () => {
  it('leave what they would leave one by one, in any order, whatever was there, also if each save has other bytes', async () => {
    const url = await postgresql.freshPlace();
    const provider = new SDS_DesktopPersistenceProvider(url, 'store');
    onTestFinished(() => provider.close());
    const call = (hash: string, at: number) =>
      hash[at] === SAVE ? provider.saveValue(hash, patchOf(at)) : provider.releaseValue(hash);
    const before = ['', SAVE, SAVE + SAVE];
    const values = before.flatMap((first) => ordersOf(5).map((order) => ({ hash: `${first}.${order}`, first, order })));
    for (const { hash, first } of values) for (let at = 0; at < first.length; at++) void call(hash, at);
    await provider.flush();
    for (const { hash, first } of values) for (let at = first.length + 1; at < hash.length; at++) void call(hash, at);
    await provider.flush();
    const wanted = values.flatMap(({ hash }) => {
      const left = leftBy(hash);
      return left === undefined ? [] : [{ hash, ...left }];
    });
    const found = (await postgresql.rowsOf(url)).blobs;
    const byHash = (rows: Record<string, unknown>[]) => Object.fromEntries(rows.map((row) => [row.hash, row]));
    expect(byHash(found)).toEqual(byHash(wanted));
  });
});
