/**
 * Measures how long a provider keeps the main thread busy, by persisting once more what a session
 * has persisted: the same patches, snapshots and large values in the same turns, into a second file, without the
 * document and the heartbeat, so that none of their work is in the figure.
 *
 * Two figures: the processor time of the main thread from the first call to the last commit, which
 * has all that a provider does there, also when it comes back from the background to settle its
 * promises; and the time inside the calls by the clock, which has the waiting for a disk as well.
 * What the same turns take with a provider that does nothing is subtracted from both. (The processor
 * time can't be split between calls and the rest: Linux brings it up to date only every few
 * milliseconds and when a thread goes to sleep.)
 */
import type { SDS_PersistenceProvider } from 'sds-persistence-worker';
import type { Work } from './replay.ts';
import { SyncEngine } from './sync-engine.ts';

export interface MainThreadTime {
  /** Processor time, microseconds a patch; missing without `process.threadCpuUsage` (Node below 22.19). */
  processorUs?: number;
  /** Time inside the calls by the clock, microseconds a patch. */
  insideCallsUs: number;
}

const done = Promise.resolve();
const nothing: SDS_PersistenceProvider = {
  loadSnapshot: () => Promise.resolve(undefined),
  saveSnapshot: () => done,
  loadPatchesSince: () => Promise.resolve([]),
  appendPatch: () => done,
  prunePatches: () => done,
  loadValue: () => Promise.resolve(undefined),
  saveValue: () => done,
  releaseValue: () => done,
  close: () => done,
};

interface Busy {
  insideCallsUs: number;
  processorUs: number | undefined;
}

export async function measureMainThreadTime(
  work: Work,
  provider: SDS_PersistenceProvider,
  onProgress: (done: number) => void,
): Promise<MainThreadTime> {
  const { turns } = work;
  const patches = Math.max(
    1,
    turns.reduce((sum, turn) => sum + turn.length, 0),
  );
  // opened, and its thread started, before the clock runs
  await provider.loadSnapshot();
  // the provider that does nothing comes second, when all is compiled: so no more than that is subtracted
  const real = await persist(work, provider, (turn) => onProgress(turn / turns.length / 2));
  const idle = await persist(work, nothing, (turn) => onProgress(0.5 + turn / turns.length / 2));
  const perPatch = (ofReal: number, ofIdle: number) => Math.max(0, ofReal - ofIdle) / patches;
  const insideCallsUs = perPatch(real.insideCallsUs, idle.insideCallsUs);
  if (real.processorUs === undefined || idle.processorUs === undefined) return { insideCallsUs };
  return { processorUs: perPatch(real.processorUs, idle.processorUs), insideCallsUs };
}

async function persist(work: Work, provider: SDS_PersistenceProvider, onTurn: (turn: number) => void): Promise<Busy> {
  const engine = new SyncEngine(provider);
  let insideCallsMs = 0;
  const processorUsAtStart = threadCpuMicroseconds();
  for (const [index, turn] of work.turns.entries()) {
    const before = performance.now();
    for (const update of turn) {
      engine.append(update);
      const value = work.values.get(engine.patches);
      if (value !== undefined) engine.saveValue(value.hash, value.bytes);
      if (engine.snapshotDue) {
        const snapshot = work.snapshots.get(engine.patches);
        if (snapshot !== undefined) engine.takeSnapshot(snapshot);
      }
    }
    insideCallsMs += performance.now() - before;
    await new Promise((resolve) => setTimeout(resolve, 1));
    onTurn(index + 1);
  }
  await engine.settled();
  const processorUs = threadCpuMicroseconds();
  if (engine.failure !== undefined) throw engine.failure;
  return {
    insideCallsUs: insideCallsMs * 1000,
    processorUs:
      processorUs === undefined || processorUsAtStart === undefined ? undefined : processorUs - processorUsAtStart,
  };
}

function threadCpuMicroseconds(): number | undefined {
  if (typeof process.threadCpuUsage !== 'function') return undefined;
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
