/** Compiled, never run: a CommonJS module's view of the package's types. */
import sds = require('sds-persistence-worker');

const options: sds.SDS_ProviderOptions = { Durability: 'full' };

async function restore(bytes: Uint8Array): Promise<number> {
  const provider = new sds.SDS_DesktopPersistenceProvider('notes.db', 'notes', options);
  await provider.saveSnapshot(sds.transfer(bytes, [bytes.buffer]), 1);
  const patches: Uint8Array[] = await provider.loadPatchesSince(1);
  await provider.close();
  return patches.length;
}

export = { restore };
