/**
 * Plays an editing session into a Yjs document and persists each of its updates as it happens,
 * while a heartbeat measures the event loop's delay.
 *
 * What is fair: both sides get the same edits at the same times, from this one function. It plays
 * some hundreds of times faster than a person types, as if hundreds of documents were being written
 * in this process. Every few milliseconds all edits that are due by then are made, then the event
 * loop has its turn; a side that fell behind makes up for it in turns of bounded length, so that its
 * backlog is not held against it twice. Yjs works on the main thread on both sides, as do the
 * heartbeat and the opening of the database; all of it is in the delay, the same on both sides.
 */
import type { SDS_PersistenceProvider } from 'sds-persistence-worker';
import { bytesOf, hashOf } from './binaries.ts';
import { EditedDocument } from './edited-document.ts';
import { type Beat, beatIdle, Heartbeat } from './heartbeat.ts';
import type { Session } from './session.ts';
import { SyncEngine } from './sync-engine.ts';

/** How long the session lasts: so many milliseconds an edit. */
const MS_PER_EDIT = 0.2;
const TURN_MS = 4;
const IDLE_MS = 500;
const MOST_A_TURN = 64;
/** Made in a document that is thrown away, so that the just-in-time compiler is not what is measured. */
const WARM_UP_EDITS = 2000;
/** What was persisted, in the order of the calls, to be persisted again without the document. */
export interface Work {
  /** The updates of each turn of the event loop. */
  turns: Uint8Array[][];
  /** Snapshots by the number of the patch they followed. */
  snapshots: Map<number, Uint8Array>;
  /** Large values, likewise. */
  values: Map<number, LargeValue>;
}

export interface LargeValue {
  hash: string;
  bytes: Uint8Array;
}

export interface Replay {
  patches: number;
  patchBytes: number;
  snapshots: number;
  values: number;
  commits: number;
  durationMs: number;
  /** The longest time that Yjs took to make a snapshot, which is in the delay of either side. */
  longestEncodeMs: number;
  /** Before the session began. */
  idleBeats: Beat[];
  beats: Beat[];
  work: Work;
}

function warmUp({ transactions }: Session): void {
  const doc = new EditedDocument(() => {});
  for (const transaction of transactions.slice(0, WARM_UP_EDITS)) doc.edit(transaction);
  doc.snapshot();
}

/** Large values by the index of their transaction, made and hashed before the session begins. */
function makeValues({ transactions }: Session): Map<number, LargeValue> {
  const values = new Map<number, LargeValue>();
  for (const [index, { value }] of transactions.entries()) {
    if (value === undefined) continue;
    const bytes = bytesOf(value);
    values.set(index, { hash: hashOf(bytes), bytes });
  }
  return values;
}

/** When each transaction is due, in milliseconds since the start. */
function schedule({ transactions }: Session): Float64Array {
  const whole = transactions.reduce((sum, { pause }) => sum + pause, 0);
  const scale = (transactions.length * MS_PER_EDIT) / whole;
  const due = new Float64Array(transactions.length);
  let at = 0;
  for (const [index, { pause }] of transactions.entries()) {
    at += pause * scale;
    due[index] = at;
  }
  return due;
}

export async function replay(
  session: Session,
  open: () => SDS_PersistenceProvider,
  onProgress: (edits: number) => void,
): Promise<Replay> {
  warmUp(session);
  const { transactions } = session;
  const due = schedule(session);
  const work: Work = { turns: [], snapshots: new Map(), values: new Map() };
  const values = makeValues(session);

  let append: (update: Uint8Array) => void = () => {};
  const doc = new EditedDocument((update) => append(update));
  doc.prepare(transactions);

  const idleBeats = await beatIdle(IDLE_MS);
  const heartbeat = new Heartbeat();
  const start = performance.now();
  const provider = open();
  const engine = new SyncEngine(provider);
  let turn: Uint8Array[] = [];
  append = (update) => {
    engine.append(update);
    turn.push(update);
  };

  let longestEncodeMs = 0;
  const takeSnapshot = () => {
    const before = performance.now();
    const snapshot = doc.snapshot();
    longestEncodeMs = Math.max(longestEncodeMs, performance.now() - before);
    engine.takeSnapshot(snapshot);
    work.snapshots.set(engine.patches, snapshot);
  };

  let next = 0;
  await new Promise<void>((resolve, reject) => {
    const playTurn = () => {
      try {
        const now = performance.now() - start;
        const end = Math.min(transactions.length, next + MOST_A_TURN);
        for (; next < end && (due[next] ?? 0) <= now; next++) {
          const transaction = transactions[next];
          if (transaction !== undefined) doc.edit(transaction);
          const value = values.get(next);
          if (value !== undefined) {
            engine.saveValue(value.hash, value.bytes);
            work.values.set(engine.patches, value);
          }
          if (engine.snapshotDue) takeSnapshot();
        }
        if (turn.length > 0) work.turns.push(turn);
        turn = [];
        onProgress(next);
      } catch (error) {
        return reject(error);
      }
      if (next === transactions.length) resolve();
      else if ((due[next] ?? 0) <= performance.now() - start) setImmediate(playTurn);
      else setTimeout(playTurn, TURN_MS);
    };
    playTurn();
  });
  await engine.settled();
  const durationMs = performance.now() - start;
  const beats = heartbeat.stop();
  // no last snapshot: the restore is to need both, a snapshot and the patches after it
  await provider.close();
  if (engine.failure !== undefined) throw engine.failure;
  return {
    patches: engine.patches,
    patchBytes: engine.patchBytes,
    snapshots: engine.snapshots,
    values: engine.values,
    commits: engine.distinctPromises,
    durationMs,
    longestEncodeMs,
    idleBeats,
    beats,
    work,
  };
}
