/** Appends one patch after the other and writes a line as each is acknowledged, for a trace of system calls. */
import { writeSync } from 'node:fs';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';

const [dbPath = '', durability = 'full', rounds = '1'] = process.argv.slice(2);
const provider = new SDS_DesktopPersistenceProvider(dbPath, 'store', {
  Durability: durability === 'full' ? 'full' : 'normal',
});
await provider.appendPatch(new Uint8Array(100), 0);
writeSync(1, 'begun\n');
for (let clock = 1; clock <= Number(rounds); clock++) {
  await provider.appendPatch(new Uint8Array(100).fill(clock), clock);
  writeSync(1, `ack ${clock}\n`);
}
writeSync(1, 'end\n');
await provider.close();
