/**
 * Makes the calls of a session on one store, as fast as a few may be under way, and tells how many are
 * acknowledged without a gap. Where to begin and to end it is told on its input once it is ready.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { perform } from '../perform.ts';
import { codeOf } from '../rig.ts';
import { sessionOf } from '../session.ts';

/** Between two awaited calls. */
const MOST_UNDER_WAY = 40;

const [place = '', store = '', seed = '1', options = '{}'] = process.argv.slice(2);
const input = createInterface({ input: process.stdin });
const told = once(input, 'line');
const provider = new SDS_DesktopPersistenceProvider(place, store, {
  Acknowledge: 'committed',
  Overflow: 'block',
  ...JSON.parse(options),
});
try {
  await provider.ready();
} catch (error) {
  process.stdout.write(`not ready: ${codeOf(error)}\n`);
  process.exit(3);
}
process.stdout.write('ready\n');
const [line] = (await told) as [string];
input.close();
const [from = 0, until = 0] = line.split(' ').map(Number);
const calls = sessionOf(Number(seed), store, until);
let reached = from;
const settled = new Set<number>();
let last: Promise<unknown> = Promise.resolve();
for (let i = from; i < calls.length; i++) {
  const call = calls[i];
  if (call === undefined) break;
  last = perform(provider, call).then(
    () => {
      settled.add(i);
      while (settled.delete(reached)) reached++;
      process.stdout.write(`${reached}\n`);
    },
    (error) => process.stdout.write(`call ${i}: ${codeOf(error)}\n`),
  );
  if (i % MOST_UNDER_WAY === 0) await last;
}
await last;
await provider.close();
process.stdout.write('end\n');
