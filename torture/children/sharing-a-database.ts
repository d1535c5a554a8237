/**
 * One of several processes on one database. Appends to a store with numbers that may meet those of others, and counts
 * values that all of them share up and down; tells what is acknowledged.
 */
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';

const [place = '', store = '', name = '', milliseconds = '1000', options = '{}'] = process.argv.slice(2);
const provider = new SDS_DesktopPersistenceProvider(place, store, {
  Acknowledge: 'committed',
  Overflow: 'block',
  ...(JSON.parse(options) as SDS_ProviderOptions),
});
await provider.ready();
/** Numbers go on from the number of patches found, as a sync engine's do, and so meet those of others. */
let clock = (await provider.loadPatchesSince(0)).length;
const until = performance.now() + Number(milliseconds);
// one round at least: somebody waits for it
for (let round = 0; round === 0 || performance.now() < until; round++) {
  const saved: Promise<void>[] = [];
  process.stdout.write(`begun ${round}\n`);
  for (let i = 0; i < 50; i++) saved.push(provider.appendPatch(Buffer.from(`${name} ${round} ${i}`), ++clock));
  saved.push(provider.saveValue('shared', Buffer.from('shared')), provider.saveValue('kept', Buffer.from('kept')));
  saved.push(provider.releaseValue('shared'));
  await Promise.all(saved);
  process.stdout.write(`stored ${round}\n`);
}
await provider.close();
process.stdout.write('end\n');
