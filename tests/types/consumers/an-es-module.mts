/** Compiled, never run: an ES module's view of the package's types. */
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions, transfer } from 'sds-persistence-worker';

const options: SDS_ProviderOptions = { Durability: 'full' };

export async function restore(bytes: Uint8Array): Promise<number> {
  const provider = new SDS_DesktopPersistenceProvider('notes.db', 'notes', options);
  await provider.saveSnapshot(transfer(bytes, [bytes.buffer]), 1);
  const patches: Uint8Array[] = await provider.loadPatchesSince(1);
  await provider.close();
  return patches.length;
}
