/** Opens the files that it is told of, one a line, calls everything, and answers with what came of it. */
import { createInterface } from 'node:readline';
import { SDS_DesktopPersistenceProvider, type SDS_Record } from 'sds-persistence-worker';

for await (const dbPath of createInterface({ input: process.stdin })) {
  const provider = new SDS_DesktopPersistenceProvider(dbPath, 'store', { Acknowledge: 'committed', BusyTimeoutMs: 0 });
  const calls: Promise<unknown>[] = [
    provider.ready(),
    provider.loadSnapshot(),
    provider.loadPatchesSince(0),
    provider.loadValue('value'),
    provider.appendPatch(new Uint8Array([1, 2, 3]), 1_000_000),
    provider.saveSnapshot(new Uint8Array([4, 5, 6]), 7),
    provider.saveValue('new', new Uint8Array([7])),
    provider.releaseValue('value'),
    provider.prunePatches(2),
    provider.loadRecords(),
    provider.loadRecord('first'),
    provider.loadStore(),
    provider.listStores(),
    provider.saveRecord('new', new Uint8Array([8])),
    provider.removeRecords('n'),
    provider.compactStore(new Uint8Array([9]), { SnapshotClock: 7, Patches: [], LastClock: 7 }),
    provider.close(),
  ];
  const outcomes = await Promise.allSettled(calls);
  const codes = outcomes.map((outcome) => {
    if (outcome.status === 'fulfilled') return 'ok';
    const { name, code } = outcome.reason as { name?: string; code?: string };
    return name === 'SDS_Error' ? code : `no code: ${String(outcome.reason)}`;
  });
  const [, snapshot, patches, value, , , , , , records] = outcomes.map((outcome) =>
    outcome.status === 'fulfilled' ? outcome.value : undefined,
  );
  const hex = (bytes: unknown) => (bytes instanceof Uint8Array ? Buffer.from(bytes).toString('hex') : undefined);
  const read = {
    snapshot: hex(snapshot),
    patches: (patches as Uint8Array[] | undefined)?.map(hex),
    value: hex(value),
    records: (records as SDS_Record[] | undefined)?.map(({ Key, Data }) => `${Key} ${hex(Data)}`),
  };
  console.log(JSON.stringify({ codes, read }));
}
