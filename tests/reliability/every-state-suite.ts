/** Every method on a provider that is opening, open, closing, closed, or that could not be opened. */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { SDS_DesktopPersistenceProvider, SDS_PersistenceError } from 'sds-persistence-worker';
import { describe, expect, test } from 'vitest';
import type { Engine } from '../support/engine.ts';

type Provider = SDS_DesktopPersistenceProvider;

const bytes = new Uint8Array([1, 2, 3]);
/** All methods but `close`, each called in a way that is right. */
const methods: Record<string, (provider: Provider) => Promise<unknown>> = {
  ready: (provider) => provider.ready(),
  loadSnapshot: (provider) => provider.loadSnapshot(),
  saveSnapshot: (provider) => provider.saveSnapshot(bytes, 1),
  loadPatchesSince: (provider) => provider.loadPatchesSince(0),
  appendPatch: (provider) => provider.appendPatch(bytes, 1),
  prunePatches: (provider) => provider.prunePatches(0),
  loadValue: (provider) => provider.loadValue('hash'),
  saveValue: (provider) => provider.saveValue('hash', bytes),
  releaseValue: (provider) => provider.releaseValue('hash'),
  loadStore: (provider) => provider.loadStore(),
  compactStore: (provider) => provider.compactStore(bytes, { SnapshotClock: undefined, Patches: [], LastClock: 0 }),
  saveRecord: (provider) => provider.saveRecord('key', bytes),
  loadRecord: (provider) => provider.loadRecord('key'),
  loadRecords: (provider) => provider.loadRecords('k'),
  removeRecord: (provider) => provider.removeRecord('key'),
  removeRecords: (provider) => provider.removeRecords(''),
  listStores: (provider) => provider.listStores(),
  removeStore: (provider) => provider.removeStore(),
  flush: (provider) => provider.flush(),
  listNotImported: (provider) => ofDocuments(provider).listNotImported(),
  loadParcel: async (provider) =>
    ofDocuments(provider)
      .loadParcel()
      .then(({ parcel }) => parcel.port.close()),
  compactByParcel: async (provider) => {
    const { port1, port2 } = new MessageChannel();
    port1.postMessage([{ bytes, lengths: Int32Array.of(bytes.byteLength) }]);
    const seen = { snapshotClock: undefined, patches: 0 };
    try {
      return await ofDocuments(provider).compactByParcel({ port: port2, length: bytes.byteLength }, seen, 0);
    } finally {
      port2.close();
    }
  },
};

/** What only the package itself calls. */
interface OfDocuments {
  listNotImported(): Promise<string[]>;
  loadParcel(): Promise<{ parcel: { port: MessagePort } }>;
  compactByParcel(parcel: { port: MessagePort; length: number }, seen: object, clock: number): Promise<boolean>;
}

function ofDocuments(provider: Provider): OfDocuments {
  return provider as unknown as OfDocuments;
}

/** What becomes of each method: 'carried out', or the code with which it rejects; throwing is neither. */
async function outcomesOn(provider: Provider): Promise<Record<string, string>> {
  const outcomes: Record<string, string> = {};
  for (const [name, call] of Object.entries(methods)) {
    const promise = call(provider); // must not throw
    outcomes[name] = await promise.then(
      () => 'carried out',
      (error: unknown) => (error instanceof SDS_PersistenceError ? error.code : `no code: ${String(error)}`),
    );
  }
  return outcomes;
}

const all = (outcome: string) => Object.fromEntries(Object.keys(methods).map((name) => [name, outcome]));

export function describeEveryState(engine: Engine): void {
  describe(`every method in every state, on ${engine.name}`, () => {
    test('no method is left out', () => {
      const names = Object.getOwnPropertyNames(SDS_DesktopPersistenceProvider.prototype);
      const others = [
        'constructor',
        'close',
        'flushSync',
        'backup',
        'statistics',
        'status',
        'ClockCollisions',
        'sharesDatabaseWith',
        'mayComeFree',
        'refusedWrites',
        'rejectedAppends',
      ];
      expect(names.filter((name) => !others.includes(name)).sort()).toEqual(Object.keys(methods).sort());
    });

    test('on a provider that is opening, every method waits and is carried out', async () => {
      for (const [name, call] of Object.entries(methods)) {
        const place = await engine.freshPlace();
        const provider = new SDS_DesktopPersistenceProvider(place, 'store');
        await expect(call(provider), name).resolves.not.toBeInstanceOf(Error);
        await provider.close();
        await engine.discard(place);
      }
    });

    test('on an open provider, every method is carried out', async () => {
      const provider = new SDS_DesktopPersistenceProvider(await engine.freshPlace(), 'store');
      await provider.ready();
      expect(await outcomesOn(provider)).toEqual(all('carried out'));
      expect(provider.flushSync()).toBe(true);
      await provider.close();
    });

    test('on a provider that is closing, every method rejects with closed, and what was called before is done', async () => {
      const dbPath = await engine.freshPlace();
      const provider = new SDS_DesktopPersistenceProvider(dbPath, 'store');
      const before = provider.appendPatch(bytes, 7);
      const closing = provider.close();
      expect(await outcomesOn(provider)).toEqual(all('closed'));
      expect(() => provider.flushSync()).toThrow(expect.objectContaining({ code: 'closed' }));
      expect(provider.close()).toBe(closing);
      await Promise.all([before, closing]);
      const next = new SDS_DesktopPersistenceProvider(dbPath, 'store');
      expect(await next.loadPatchesSince(6)).toEqual([bytes]);
      await next.close();
    });

    test('on a closed provider, every method rejects with closed', async () => {
      const provider = new SDS_DesktopPersistenceProvider(await engine.freshPlace(), 'store');
      await provider.close();
      expect(await outcomesOn(provider)).toEqual(all('closed'));
      expect(() => provider.flushSync()).toThrow(expect.objectContaining({ code: 'closed' }));
      await provider.close();
      await provider[Symbol.asyncDispose]();
    });

    test('on a provider that could not be opened, every method rejects with open-failed, and it can be closed', async () => {
      const provider = new SDS_DesktopPersistenceProvider(await engine.brokenPlace(), 'store');
      // other programs have left documents in files alone: on a server none are looked for
      const onServer = engine.isFile ? {} : { listNotImported: 'carried out' };
      expect(await outcomesOn(provider)).toEqual({ ...all('open-failed'), ...onServer });
      await provider.close();
      expect(await outcomesOn(provider)).toEqual(all('closed'));
    });
  });
}
