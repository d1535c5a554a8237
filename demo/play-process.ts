/**
 * A process that plays the session on one side, then measures that side's main-thread time. It is
 * started by `run-side.ts`, gets its job as a message, and answers by messages.
 */
import { type MainThreadTime, measureMainThreadTime } from './main-thread-time.ts';
import { openProvider } from './open-provider.ts';
import { type Replay, replay } from './replay.ts';
import type { Session } from './session.ts';
import type { Side } from './sides.ts';

export interface PlayJob {
  side: Side;
  session: Session;
  dbPath: string;
  /** A file of its own for the measurement of the main-thread time. */
  secondDbPath: string;
}

export type Played = Omit<Replay, 'work'> & { mainThread: MainThreadTime };

export type PlayMessage =
  | { kind: 'progress'; stage: 'playing' | 'measuring'; share: number }
  | { kind: 'played'; played: Played }
  | { kind: 'failed'; reason: string };

/** Messages take time of the thread that is measured, on both sides the same: so there are few. */
const PROGRESS_EVERY_MS = 500;

function send(message: PlayMessage): void {
  process.send?.(message);
}

function progressOf(stage: 'playing' | 'measuring'): (share: number) => void {
  send({ kind: 'progress', stage, share: 0 });
  let last = performance.now();
  return (share) => {
    const now = performance.now();
    if (now - last < PROGRESS_EVERY_MS) return;
    last = now;
    send({ kind: 'progress', stage, share });
  };
}

async function play({ side, session, dbPath, secondDbPath }: PlayJob): Promise<Played> {
  const onPlayed = progressOf('playing');
  const { work, ...replayed } = await replay(
    session,
    () => openProvider(side, dbPath),
    (edits) => onPlayed(edits / session.transactions.length),
  );
  const second = openProvider(side, secondDbPath);
  const mainThread = await measureMainThreadTime(work, second, progressOf('measuring'));
  await second.close();
  return { ...replayed, mainThread };
}

// without the program that started it, nobody is there to tell
const giveUp = () => process.exit(1);
process.once('disconnect', giveUp);
process.once('message', async (job: PlayJob) => {
  const answer = await play(job).then(
    (played): PlayMessage => ({ kind: 'played', played }),
    (error: unknown): PlayMessage => ({
      kind: 'failed',
      reason: error instanceof Error ? error.message : String(error),
    }),
  );
  process.off('disconnect', giveUp);
  process.send?.(answer, () => process.disconnect());
});
