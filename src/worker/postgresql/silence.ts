/** Whether a server goes on with what it was asked: a network that is cut tells nobody. */
import type { Socket } from 'node:net';
import { performance, setInterval } from '../../protocol/surroundings.ts';

/** By which Node's own time-outs of sockets see whether a write goes on. */
interface Handle {
  readonly writeQueueSize?: number;
  /** Of a TLS connection, the one below it. */
  readonly _parent?: Handle;
}

export type WatchedSocket = Socket & { readonly _handle?: Handle | null };

/** The server is asked over another connection after a silence of this length; if callers wait less, after a quarter of what they do. */
const ASK_AFTER_MS = 5000;
const ASK_SOONEST_MS = 500;
const ASKS_WITHIN_PATIENCE = 4;
/** How often it is looked in that time whether it still says something. */
const LOOKS = 5;

/** What is seen of a connection over another one, if there is one to be had. */
export type AskElsewhere = () => Promise<'at work' | 'gone' | 'unknown' | 'unreachable'>;

/** For how long callers want to wait: for a server that is away, for a connection and for a lock. */
type Limits = Readonly<Record<'retryForMs' | 'connectMs' | 'lockMs', number>>;

/** Changes as bytes come and go. What a socket was given counts as written at once, although it may take long until it is on its way. */
function movedOver({ bytesRead, bytesWritten, _handle: handle }: WatchedSocket): number {
  return bytesRead + bytesWritten - ((handle?._parent ?? handle)?.writeQueueSize ?? 0);
}

/** @param lost - called when the server has said nothing since then, and does not work on what it was asked */
export function watchForSilence(
  stream: WatchedSocket,
  askElsewhere: AskElsewhere,
  limits: Limits,
  lost: (since: number, found: Awaited<ReturnType<AskElsewhere>>) => void,
): NodeJS.Timeout {
  let [moved, since] = [-1, performance.now()];
  let asking = false;
  const { retryForMs } = limits;
  const askAfter = Math.min(Math.max(retryForMs / ASKS_WITHIN_PATIENCE, ASK_SOONEST_MS), ASK_AFTER_MS);
  let pause = askAfter;
  let askAt = since + pause;
  return setInterval(() => {
    const now = performance.now();
    if (movedOver(stream) !== moved) {
      [moved, since] = [movedOver(stream), now];
      askAt = now + pause;
    }
    if (asking || now < askAt) return;
    asking = true;
    const silent = moved;
    void askElsewhere().then((found) => {
      asking = false;
      const asked = performance.now();
      // the longer it works, the seldomer it is asked
      pause = Math.min(pause * 2, ASK_AFTER_MS);
      askAt = asked + pause;
      const { connectMs, lockMs } = limits;
      // for so long it may say nothing where it can't be told whether it is at work
      const silenceMs = Math.max(retryForMs, connectMs) + lockMs;
      if (found === 'at work' || (found === 'unknown' && asked - since < silenceMs)) return;
      // unless it has answered while the other one was asked, and has been at rest since
      if (movedOver(stream) === silent) lost(since, found);
    });
  }, askAfter / LOOKS);
}
