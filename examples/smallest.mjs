/** Stores patches and finds them again: `node examples/smallest.mjs`, after `npm ci && npm run build`. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';

const Provider = new SDS_DesktopPersistenceProvider(':memory:', 'my-store');
for (const Clock of [1, 2, 3]) {
  Provider.appendPatch(new TextEncoder().encode(`patch ${Clock}`), Clock).catch(console.error); // not awaited
}
const Patches = await Provider.loadPatchesSince(1); // sees all that was called before
console.log(Patches.map((Patch) => new TextDecoder().decode(Patch)).join(', ')); // patch 2, patch 3
await Provider.close();
