/** A program with a sync engine: makes changes at a pace, and ends in the way that it is told. */
import { writeSync } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { ReferenceProvider } from '../../tests/support/reference-provider.ts';
import { CausalDocument, SyncEngine } from '../../tests/support/sync-engine.ts';
import { livingWorkers } from '../living-workers.ts';
import type { Life } from '../sync-engine.ts';

const life = JSON.parse(process.argv[2] ?? '{}') as Life;
const say = (line: string) => writeSync(1, `${line}\n`);
const PATCHES_AN_EDIT = 3;

const provider =
  life.provider === 'reference'
    ? new ReferenceProvider(life.place, 'store')
    : new SDS_DesktopPersistenceProvider(life.place, 'store', life.options);
const engine = new SyncEngine(provider, new CausalDocument(life.documentBytes), {
  readsFirst: life.readsFirst,
  onAcknowledged: life.acknowledges ? (change) => say(`acknowledged ${change}`) : undefined,
});
await engine.start();
say('ready');
for (let edit = 1; edit <= life.edits; edit++) {
  for (let patch = 0; patch < PATCHES_AN_EDIT; patch++) engine.change(life.patchBytes);
  if (edit % 10 === 0) say(`called ${engine.document.changes}`);
  if (life.ending === 'lost-worker' && edit % Math.ceil(life.edits / 3) === 0) {
    for (const worker of livingWorkers) void worker.terminate();
  }
  if (life.everyMs === 0) await nextTurn();
  else await pause(life.everyMs);
}
say(`called ${engine.document.changes}`);
switch (life.ending) {
  case 'exit':
    process.exit(0);
    break;
  case 'error':
    setImmediate(() => {
      throw new Error('nobody catches this');
    });
    break;
  case 'stop':
  case 'lost-worker':
    await engine.stop();
    break;
  default: // its natural end
}
for (const failure of engine.failures) say(`failed ${String(failure)}`);
