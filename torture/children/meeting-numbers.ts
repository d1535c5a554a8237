/**
 * One life of a program that keeps a Yjs document the way a sync engine does. The first numbers
 * patches 1 to 400, saves a snapshot and prunes below 400; the second counts the one patch that is
 * left, goes on from 2, and crashes after 800 more.
 */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import * as Y from 'yjs';

const [place = '', collision = 'ignore', life = 'first'] = process.argv.slice(2);
const provider = new SDS_DesktopPersistenceProvider(place, 'document', {
  OnClockCollision: collision === 'keep' ? 'keep' : 'ignore',
  LeaseMs: 1000,
});
process.on('warning', (warning) => {
  const { code } = warning as { code?: string };
  if (code !== undefined) console.log(`warning ${code}`);
});

const document = new Y.Doc();
document.clientID = life === 'first' ? 1 : 2;
const snapshot = await provider.loadSnapshot();
const patches = await provider.loadPatchesSince(0);
if (snapshot !== undefined) Y.applyUpdate(document, snapshot);
for (const patch of patches) Y.applyUpdate(document, patch);

// the engine restarts its numbering from the number of patches it finds
let clock = patches.length;
document.on('update', (update: Uint8Array) => {
  provider.appendPatch(update, ++clock).catch((error: unknown) => console.log(String(error)));
});
const entries = document.getArray<string>('entries');
for (let i = 0; i < (life === 'first' ? 400 : 800); i++) entries.push([`${life} ${i}`]);

if (life === 'first') {
  await provider.saveSnapshot(Y.encodeStateAsUpdate(document), clock);
  await provider.prunePatches(clock);
  await provider.close();
} else {
  await provider.flush();
  // warnings are emitted in a later tick
  await new Promise(setImmediate);
  console.log(`collisions ${provider.ClockCollisions}`);
  process.kill(process.pid, 'SIGKILL');
}
