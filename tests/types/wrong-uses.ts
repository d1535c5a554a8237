/** Compiled, never run: each use that is marked must be an error, else the mark itself is one. */
import { SDS_DesktopPersistenceProvider, SDS_PersistenceError, transfer } from 'sds-persistence-worker';

export function wronglyConstructed(): unknown[] {
  return [
    // @ts-expect-error a store must be named
    new SDS_DesktopPersistenceProvider('file.db'),
    // @ts-expect-error a path is a string
    new SDS_DesktopPersistenceProvider(new URL('file:///file.db'), 'store'),
    // @ts-expect-error there is no such level
    new SDS_DesktopPersistenceProvider('file.db', 'store', { Durability: 'off' }),
    // @ts-expect-error milliseconds are a number
    new SDS_DesktopPersistenceProvider('file.db', 'store', { BusyTimeoutMs: '5 s' }),
    // @ts-expect-error options are written in Pascal case
    new SDS_DesktopPersistenceProvider('file.db', 'store', { takeSnapshots: true }),
    // @ts-expect-error one of two words
    new SDS_DesktopPersistenceProvider('file.db', 'store', { Overflow: 'drop' }),
    // @ts-expect-error one of two words
    new SDS_DesktopPersistenceProvider('file.db', 'store', { OnClockCollision: 'replace' }),
    // @ts-expect-error a class, no function
    SDS_DesktopPersistenceProvider('file.db', 'store'),
  ];
}

export async function wronglyCalled(provider: SDS_DesktopPersistenceProvider, bytes: Uint8Array): Promise<void> {
  // @ts-expect-error a patch has a number
  await provider.appendPatch(bytes);
  // @ts-expect-error numbers are no bigints
  await provider.appendPatch(bytes, 1n);
  // @ts-expect-error text is no bytes
  await provider.appendPatch('text', 1);
  // @ts-expect-error nor are the numbers of an array
  await provider.saveSnapshot([1, 2, 3]);
  // @ts-expect-error nor is a bare buffer
  await provider.saveValue('hash', new ArrayBuffer(8));
  // @ts-expect-error a hash is a string
  await provider.saveValue(bytes, bytes);
  // @ts-expect-error from which number on?
  await provider.loadPatchesSince();
  // @ts-expect-error there may be no snapshot
  const snapshot: Uint8Array = await provider.loadSnapshot();
  // @ts-expect-error blocks, and returns no promise
  await provider.flushSync().then();
  // @ts-expect-error the store is fixed
  provider.StoreId = 'another';
  // @ts-expect-error what is handed over is named in a list
  transfer(bytes, bytes.buffer);
  void snapshot;
}

export function wronglyTold(error: SDS_PersistenceError): boolean {
  // @ts-expect-error there is no such code
  return error.code === 'busy';
}

// @ts-expect-error an error has one of the known codes
export const foreignCode = new SDS_PersistenceError('EBUSY', 'text');
