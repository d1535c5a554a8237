/** This provider without one of its mechanisms: what does each of them buy? */
import { type Change, changedBuild } from '../changed-build.ts';
import type { Driver } from './driver.ts';
import { builtAs } from './observed.ts';

const off: Record<string, { title: string; changes: Change[] }> = {
  'without-acknowledgement': {
    title: 'every promise counts as waited for',
    changes: [
      {
        file: 'main/queue/batch.ts',
        from: 'Acknowledgement.standsFor(promise, this);',
        to: 'Acknowledgement.standsFor(promise, this); this.waitedFor();',
      },
    ],
  },
  'without-sharing': {
    title: 'batches are sent at the end of the turn, and complete then',
    changes: [{ file: 'main/queue/file-queue.ts', from: 'const mayShare =', to: 'const mayShare = false &&' }],
  },
  'without-dozing': {
    title: 'the worker sleeps until it is rung for each batch',
    changes: [
      { file: 'worker/loop.ts', from: 'const doze = now < this.#batchAt + TRAFFIC_MS;', to: 'const doze = false;' },
    ],
  },
  'without-settling-together': {
    title: 'each batch is settled by itself',
    changes: [
      { file: 'main/queue/file-queue.ts', from: 'const SETTLE_TOGETHER = 16;', to: 'const SETTLE_TOGETHER = 1;' },
    ],
  },
  'without-committing-together': {
    title: 'each batch is committed by itself',
    changes: [{ file: 'worker/file.ts', from: 'const TOGETHER_BYTES = 256 * 1024;', to: 'const TOGETHER_BYTES = 0;' }],
  },
  'without-used-slabs-first': {
    title: 'slabs in turn instead of those used last',
    changes: [
      {
        file: 'main/memory/pending-memory.ts',
        from: '#slabBytes -= size;\n    this.#classOf(slab)?.used.push(slab);',
        to: '#slabBytes -= size;\n    this.#classOf(slab)?.used.unshift(slab);',
      },
    ],
  },
  'without-wal-keeper': {
    title: "SQLite's own checkpoints, in the commits",
    changes: [
      {
        file: 'worker/sqlite/engine.ts',
        from: "location === '' ? undefined : new WalKeeper",
        to: "location === '' || WalKeeper ? undefined : new WalKeeper",
      },
      { file: 'worker/sqlite/open-database.ts', from: 'wal_autocheckpoint = 0', to: 'wal_autocheckpoint = 1000' },
    ],
  },
  'without-checkpoints-in-pauses': {
    title: 'checkpoints only when all is quiet, or the log is large',
    changes: [
      {
        file: 'worker/sqlite/wal-keeper.ts',
        from: 'checkpointInPause(): void {',
        to: 'checkpointInPause(): void { if (this) return;',
      },
    ],
  },
  'without-arena-exchange': {
    title: 'memory for calls stays as a flood has left it',
    changes: [
      {
        file: 'main/workers/dispatcher.ts',
        from: 'if (this.memory.isSwollen)',
        to: 'if (this.memory.arena === undefined)',
      },
    ],
  },
  'without-young-bound': {
    title: "the worker's young generation as large as V8 lets it grow",
    changes: [{ file: 'main/workers/start-worker.ts', from: '{ maxYoungGenerationSizeMb: 8 }', to: '{}' }],
  },
};

export function changesWithout(name: string): readonly Change[] {
  const { changes } = off[name] ?? {};
  if (changes === undefined) throw new Error(`there is no build '${name}'`);
  return changes;
}

export const mechanisms: Readonly<Record<string, Driver>> = Object.fromEntries(
  Object.entries(off).map(([name, { title, changes }]) => [name, builtAs(title, () => changedBuild(changes))]),
);
