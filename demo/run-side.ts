/** Runs one side: a process that plays the session, then a fresh process that restores it from the file. */
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { endsWithUs } from '../tests/support/ends-with-us.ts';
import { type DelaySummary, summarize } from './heartbeat.ts';
import type { Played, PlayJob, PlayMessage } from './play-process.ts';
import type { Restored } from './restore-process.ts';

/** Files that say what the restored document must be. */
export interface Expected {
  expectedPath: string;
  binariesPath: string;
}

export type Stage = 'playing' | 'measuring' | 'restoring';

export type SideResult = Played & {
  delay: DelaySummary;
  /** Before the session, when nothing was done: the machine's own share. */
  idleDelay: DelaySummary;
  fileBytes: number;
  restored: Restored;
};

/** The side could not do its work; the message says why. */
export class SideError extends Error {}

/** @throws SideError */
export async function runSide(
  job: PlayJob,
  expected: Expected,
  onProgress: (stage: Stage, share: number) => void,
): Promise<SideResult> {
  onProgress('playing', 0);
  const played = await play(job, onProgress);
  const fileBytes = statSync(job.dbPath).size;
  onProgress('restoring', 0);
  const restored = await restore(job, expected);
  onProgress('restoring', 1);
  return {
    ...played,
    delay: summarize(played.beats),
    idleDelay: summarize(played.idleBeats),
    fileBytes,
    restored,
  };
}

async function play(job: PlayJob, onProgress: (stage: Stage, share: number) => void): Promise<Played> {
  const child = fork(join(import.meta.dirname, 'play-process.ts'), { serialization: 'advanced' });
  child.once('exit', endsWithUs(child.pid, 'KILL'));
  let played: Played | undefined;
  let reason: string | undefined;
  child.on('message', (message: PlayMessage) => {
    if (message.kind === 'progress') onProgress(message.stage, message.share);
    else if (message.kind === 'played') played = message.played;
    else reason = message.reason;
  });
  child.send(job);
  const [code, signal] = await once(child, 'close');
  if (played !== undefined && code === 0) return played;
  throw new SideError(
    `The session could not be persisted (${job.side}): ${reason ?? `its process ended with ${signal ?? code}`}.`,
  );
}

function restore({ side, dbPath }: PlayJob, { expectedPath, binariesPath }: Expected): Promise<Restored> {
  const program = join(import.meta.dirname, 'restore-process.ts');
  return new Promise((resolve, reject) => {
    const args = [program, side, dbPath, expectedPath, binariesPath];
    const child = execFile(process.execPath, args, (error, stdout, stderr) => {
      // a document that differs is a result too, with exit code 1
      if (stdout !== '') resolve(JSON.parse(stdout) as Restored);
      else reject(new SideError(stderr.trim() || String(error)));
    });
    child.once('exit', endsWithUs(child.pid, 'KILL'));
  });
}
