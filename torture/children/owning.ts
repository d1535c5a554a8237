/**
 * One of several processes that want the same store: appends patches that carry its name for as long as it may,
 * tells of each that is acknowledged, and why it ends. Told `again` on its input, it tries with a new provider.
 */
import { createInterface } from 'node:readline';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { codeOf } from '../rig.ts';

const [place = '', store = '', name = '', first = '1', options = '{}'] = process.argv.slice(2);
const say = (line: string) => process.stdout.write(`${line}\n`);
let clock = Number(first);
let closing = false;

async function own(): Promise<void> {
  const provider = new SDS_DesktopPersistenceProvider(place, store, {
    Acknowledge: 'committed',
    Overflow: 'block',
    ...JSON.parse(options),
  });
  try {
    await provider.ready();
    say('ready');
    const mine: number[] = [];
    while (!closing) {
      const calls: Promise<unknown>[] = [];
      for (let i = 0; i < 20; i++) {
        const number = clock++;
        calls.push(provider.appendPatch(Buffer.from(`${name} ${number}`), number).then(() => mine.push(number)));
      }
      calls.push(provider.saveValue(`of ${name}`, Buffer.from(name)).then(() => say('value')));
      const failed = (await Promise.allSettled(calls)).find(({ status }) => status === 'rejected');
      for (const number of mine.splice(0)) say(`stored ${number}`);
      if (failed?.status === 'rejected') throw failed.reason;
    }
  } catch (error) {
    say(`lost ${codeOf(error)}`);
    // it stays so: nothing may come in again by a later call
    const codes = await Promise.allSettled([
      provider.appendPatch(Buffer.from(`${name} after all`), clock),
      provider.saveSnapshot(Buffer.from(name), clock),
      provider.releaseValue(`of ${name}`),
      provider.loadPatchesSince(0),
    ]);
    say(
      `then ${codes.map((outcome) => (outcome.status === 'rejected' ? codeOf(outcome.reason) : 'carried out')).join(' ')}`,
    );
  }
  await provider.close();
  say('closed');
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'again') void own();
  else closing = true;
}
