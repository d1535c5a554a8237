/** One of several processes that append to the same store at full speed, each with numbers of its own. */
import { once } from 'node:events';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { patchOf } from '../patches.ts';

const [dbPath = '', index = '0', processes = '1', milliseconds = '1000'] = process.argv.slice(2);
const provider = new SDS_DesktopPersistenceProvider(dbPath, 'shared', { BusyTimeoutMs: 30_000 });
await provider.ready();
const until = performance.now() + Number(milliseconds);
let round = 0;
while (performance.now() < until) {
  let last: Promise<void> = Promise.resolve();
  for (let i = 0; i < 100; i++) {
    const clock = round++ * Number(processes) + Number(index) + 1;
    last = provider.appendPatch(patchOf(0, clock), clock);
  }
  await last;
  // its reader may be slower than this
  if (!process.stdout.write(`${round}\n`)) await once(process.stdout, 'drain');
}
await provider.close();
