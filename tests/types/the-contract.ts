/**
 * Compiled, never run: the class is what a user of `@rozek/sds-core` 0.0.13 expects. The contract is
 * written down here a second time, word by word as that package has it and independently of the
 * one under `src/protocol`, so that the two can't go astray together.
 */
import {
  SDS_DesktopPersistenceProvider,
  SDS_PersistenceError,
  type SDS_PersistenceErrorCode,
  type SDS_PersistenceProvider,
  type SDS_ProviderOptions,
  type SDS_Record,
  type SDS_StoreContents,
  transfer,
} from 'sds-persistence-worker';

interface PersistenceProviderOfTheCore {
  loadSnapshot(): Promise<Uint8Array | undefined>;
  saveSnapshot(Data: Uint8Array, Clock?: number): Promise<void>;
  loadPatchesSince(Clock: number): Promise<Uint8Array[]>;
  appendPatch(Patch: Uint8Array, Clock: number): Promise<void>;
  prunePatches(beforeClock: number): Promise<void>;
  loadValue(ValueHash: string): Promise<Uint8Array | undefined>;
  saveValue(ValueHash: string, Data: Uint8Array): Promise<void>;
  releaseValue(ValueHash: string): Promise<void>;
  close(): Promise<void>;
}

/** Compiles only if both types are the same, not merely assignable. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : { not: 'the same'; a: A; b: B };
const proved = (_: true): void => {};

type Contract = keyof PersistenceProviderOfTheCore;
proved(true satisfies Same<Contract, keyof SDS_PersistenceProvider>);
proved(true satisfies Same<Pick<SDS_DesktopPersistenceProvider, Contract>, PersistenceProviderOfTheCore>);
proved(true satisfies Same<Pick<SDS_PersistenceProvider, Contract>, PersistenceProviderOfTheCore>);

/** What an application's code does with its provider, in both directions. */
export function usedAsAlways(provider: SDS_DesktopPersistenceProvider): PersistenceProviderOfTheCore {
  const asTheCoreSeesIt: PersistenceProviderOfTheCore = provider;
  const asThePackageSeesIt: SDS_PersistenceProvider = asTheCoreSeesIt;
  return asThePackageSeesIt;
}

/** Takes the place of the class it replaces: two arguments, both strings. */
type ReplacedConstructor = new (DbPath: string, StoreId: string) => PersistenceProviderOfTheCore;
export const replacement: ReplacedConstructor = SDS_DesktopPersistenceProvider;

export class ExtendedByAnApplication extends SDS_DesktopPersistenceProvider {
  override async appendPatch(Patch: Uint8Array, Clock: number): Promise<void> {
    await super.appendPatch(Patch, Clock);
  }
}

export async function beyondTheContract(bytes: Uint8Array): Promise<void> {
  await using provider = new SDS_DesktopPersistenceProvider('file.db', 'store', {
    Durability: 'full',
    BusyTimeoutMs: 100,
    TransferSnapshots: true,
    MaxPendingBytes: 1_000_000,
    Overflow: 'reject',
    OnClockCollision: 'keep',
    VerifyValues: true,
  });
  proved(true satisfies Same<ReturnType<typeof provider.ready>, Promise<void>>);
  proved(true satisfies Same<ReturnType<typeof provider.flush>, Promise<void>>);
  proved(true satisfies Same<ReturnType<typeof provider.flushSync>, boolean>);
  provider.flushSync(1000);
  const moved: Uint8Array = transfer(bytes, [bytes.buffer]);
  await provider.saveValue('hash', moved);
  const contents = await provider.loadStore();
  proved(true satisfies Same<typeof contents, SDS_StoreContents>);
  // its bytes may be gone, and whoever has merged it in another thread has no more than this
  const seen = { SnapshotClock: contents.SnapshotClock, Patches: [], LastClock: contents.LastClock };
  proved(true satisfies Same<ReturnType<typeof provider.compactStore>, Promise<boolean>>);
  await provider.compactStore(bytes, seen);
  const records: SDS_Record[] = await provider.loadRecords();
  await provider.saveRecord('key', records[0]?.Data ?? bytes);
  // bytes of every origin are bytes
  await provider.appendPatch(Buffer.from('text'), 1);
  await provider.appendPatch(new Uint8Array(new SharedArrayBuffer(8)), 2);
}

export function toldApartByCode(error: unknown): string {
  if (!(error instanceof SDS_PersistenceError)) return 'not ours';
  const code: SDS_PersistenceErrorCode = error.code;
  proved(true satisfies Same<typeof error.name, 'SDS_Error'>);
  switch (code) {
    case 'database-busy':
    case 'database-full':
    case 'connection-failed':
      return 'try again';
    case 'invalid-argument':
    case 'closed':
    case 'queue-full':
    case 'file-exists':
      return 'call otherwise';
    case 'open-failed':
    case 'schema-mismatch':
    case 'database-corrupt':
    case 'read-only':
    case 'io-error':
    case 'worker-lost':
    case 'fenced':
      return 'give up';
    default:
      // all codes are above, or this does not compile
      return code satisfies never;
  }
}

// options may be left out one by one, not set to `undefined` by name unless the application's compiler allows it
export const noOptions: SDS_ProviderOptions = {};
