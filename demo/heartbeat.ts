/** Measures for how long the event loop keeps due work waiting, beat by beat. */

/** A beat is due this long after the one before has come; a timer can't be set finer. */
const BEAT_MS = 1;

export interface Beat {
  /** When it was due, in milliseconds since the heartbeat began. */
  at: number;
  /** How many milliseconds later it came. */
  delay: number;
}

export class Heartbeat {
  readonly #beats: Beat[] = [];
  readonly #start = performance.now();
  #last = this.#start;
  #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setTimeout(this.#beat, BEAT_MS);
  }

  #beat = (): void => {
    this.#take();
    this.#timer = setTimeout(this.#beat, BEAT_MS);
  };

  /**
   * While the loop is held up for 30 ms, 30 pieces of work that become due one each millisecond all
   * wait. So each beat that was missed is counted with the delay it would have had; otherwise the
   * longest delays would hardly show in the percentiles.
   */
  #take(): void {
    const now = performance.now();
    for (let due = this.#last + BEAT_MS; due <= now; due += BEAT_MS) {
      this.#beats.push({ at: due - this.#start, delay: now - due });
    }
    this.#last = now;
  }

  stop(): Beat[] {
    clearTimeout(this.#timer);
    this.#take();
    return this.#beats;
  }
}

/** Beats while nothing is done: what other programs on the machine, and the timer, add to a delay. */
export async function beatIdle(ms: number): Promise<Beat[]> {
  const heartbeat = new Heartbeat();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return heartbeat.stop();
}

export interface DelaySummary {
  p50: number;
  p99: number;
  max: number;
}

export function summarize(beats: readonly Beat[]): DelaySummary {
  const delays = beats.map(({ delay }) => delay).sort((a, b) => a - b);
  const at = (share: number) => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
