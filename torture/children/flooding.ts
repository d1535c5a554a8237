/** Appends far more than may be pending, in one go, and tells how much larger the process became. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';

const [dbPath = '', megabytes = '800', shape = 'patches'] = process.argv.slice(2);
const total = Number(megabytes) * 1e6;
const length = shape === 'patches' ? 1000 : 3_000_000;

const provider = new SDS_DesktopPersistenceProvider(dbPath, 'flood');
await provider.ready();
const bytes = new Uint8Array(length);
const cells = new Uint32Array(bytes.buffer, 0, 2);
globalThis.gc?.();
const before = process.resourceUsage().maxRSS;
const promises = new Set<Promise<unknown>>();
let clock = 0;
let checksum = 0;
for (let sum = 0; sum < total; sum += length) {
  clock++;
  cells[0] = clock;
  cells[1] = (clock * 2_654_435_761) >>> 0;
  checksum = (checksum + (cells[1] ?? 0)) >>> 0;
  promises.add(provider.appendPatch(bytes, clock));
  // reads between the writes: their answers are messages, which can't come while the loop runs
  if (shape === 'reads') promises.add(provider.loadSnapshot());
}
await Promise.all(promises);
const grown = (process.resourceUsage().maxRSS - before) * 1024;
await provider.close();
console.log(JSON.stringify({ patches: clock, checksum, grown }));
