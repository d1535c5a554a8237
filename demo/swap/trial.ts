/** One run of one row of `npm run swap`; prints a number. */
import { writeSync } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider, type SDS_PersistenceProvider } from 'sds-persistence-worker';
import { ReferenceProvider } from '../../tests/support/reference-provider.ts';
import { rowsOf } from '../../tests/support/rows.ts';
import { addEntry, CausalDocument, entriesOf, restore, SyncEngine } from '../../tests/support/sync-engine.ts';

export type Side = 'synchronous' | 'this provider' | "Acknowledge: 'committed'";
export interface Trial {
  /** The last two are run by `command.ts`. */
  name: 'exit' | 'left' | 'calls' | 'values' | 'left-over' | 'due' | 'written' | 'longest' | 'command' | 'memory';
  calls?: number;
  everyMs?: number;
  called?: number;
}

const { side, path, trial } = JSON.parse(process.argv[2] ?? '{}') as { side: Side; path: string; trial: Trial };
const open = (): SDS_PersistenceProvider => {
  if (side === 'synchronous') return new ReferenceProvider(path, 'store');
  if (side === 'this provider') return new SDS_DesktopPersistenceProvider(path, 'store');
  return new SDS_DesktopPersistenceProvider(path, 'store', { Acknowledge: 'committed' });
};
const begin = async (bytes: number) => {
  const engine = new SyncEngine(open(), new CausalDocument(bytes));
  await engine.start();
  return engine;
};
const say = (result: number) => writeSync(1, String(result));

const trials: Record<Exclude<Trial['name'], 'command' | 'memory'>, () => Promise<void>> = {
  /** Three patches every 20 ms, until there was a checkpoint; then the process ends. */
  async exit() {
    const engine = await begin(4_000_000);
    while (engine.checkpointsDue < 1) {
      for (let patch = 0; patch < 3; patch++) engine.change(20_000);
      await pause(20);
    }
    say(engine.document.changes);
    process.exit();
  },
  async left() {
    const provider = open();
    say((await restore(provider)).changes < (trial.called ?? 0) ? 1 : 0);
    await provider.close();
  },
  /** Tool calls, each a message of its own, all answered. */
  async calls() {
    const answers: Promise<void>[] = [];
    for (let call = 0; call < (trial.calls ?? 0); call++) {
      answers.push(addEntry(open(), `entry ${call}`));
      await nextTurn();
    }
    await Promise.all(answers);
    const provider = open();
    say((trial.calls ?? 0) - (await entriesOf(provider)).size);
    await provider.close();
  },
  async values() {
    say((await rewritten(10)).values.has('shared') ? 0 : 1);
  },
  async 'left-over'() {
    const { values } = await rewritten(50);
    say([...values].filter((hash) => hash !== 'shared' && hash !== 'value 49').length);
  },
  async due() {
    say((await edited()).engine.checkpointsDue);
  },
  async written() {
    say((await edited()).engine.checkpoints);
  },
  async longest() {
    say(Math.round((await edited()).longestMs));
  },
};
if (trial.name !== 'command' && trial.name !== 'memory') await trials[trial.name]();

/** An entry, whose first value another one has as well, gets so many others, one after the other. */
async function rewritten(times: number): Promise<{ values: Set<string> }> {
  const engine = await begin(0);
  engine.setValue('other', 'shared', new Uint8Array(200_000));
  engine.setValue('rewritten', 'shared', new Uint8Array(200_000));
  while (engine.saved < 2) await nextTurn();
  for (let rewrite = 0; rewrite < times; rewrite++) {
    engine.setValue('rewritten', `value ${rewrite}`, new Uint8Array(200_000).fill(rewrite));
    if ((trial.everyMs ?? 0) > 0) await pause(trial.everyMs);
    else await nextTurn();
  }
  await engine.stop();
  return { values: new Set(rowsOf(path).blobs.map(({ hash }) => String(hash))) };
}

async function edited(): Promise<{ engine: SyncEngine; longestMs: number }> {
  const engine = await begin(4_000_000);
  let longestMs = 0;
  let last = performance.now();
  for (let edit = 0; edit < 400; edit++) {
    engine.change(8000);
    await nextTurn();
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
  }
  return { engine, longestMs };
}
