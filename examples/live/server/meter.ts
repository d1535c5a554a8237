/** Measures what a server's main thread has to bear, from one sample to the next. */
import { createHistogram } from 'node:perf_hooks';
import type { Sample } from '../protocol/control.ts';

const BEAT_MS = 1;

export class Meter {
  #patches = 0;
  #snapshots = 0;
  #insideMs = 0;
  readonly #delays = createHistogram();
  #cpu = process.threadCpuUsage();
  #since = performance.now();
  #lastBeat = performance.now();
  #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setTimeout(this.#beat, BEAT_MS);
  }

  patch(): void {
    this.#patches++;
  }

  snapshot(): void {
    this.#snapshots++;
  }

  inside(ms: number): void {
    this.#insideMs += ms;
  }

  #beat = (): void => {
    const now = performance.now();
    const late = now - this.#lastBeat - BEAT_MS;
    // while the loop is held up for 30 ms, what becomes due in each of them waits: each missed beat counts
    for (let delay = late; delay >= 0; delay -= BEAT_MS) this.#delays.record(Math.max(1, Math.round(delay * 1000)));
    this.#lastBeat = now;
    this.#timer = setTimeout(this.#beat, BEAT_MS);
  };

  take(): Omit<Sample, 'waiting' | 'sockets' | 'rooms'> {
    const now = performance.now();
    const cpu = process.threadCpuUsage();
    const delays = this.#delays;
    const ms = (percentile: number) => (delays.count === 0 ? 0 : delays.percentile(percentile) / 1000);
    const sample = {
      ms: now - this.#since,
      delayP50: ms(50),
      delayP99: ms(99),
      delayMax: ms(100),
      cpuUs: cpu.user - this.#cpu.user + (cpu.system - this.#cpu.system),
      insideUs: this.#insideMs * 1000,
      patches: this.#patches,
      snapshots: this.#snapshots,
      rssBytes: process.memoryUsage.rss(),
    };
    delays.reset();
    this.#cpu = cpu;
    this.#since = now;
    this.#patches = 0;
    this.#snapshots = 0;
    this.#insideMs = 0;
    return sample;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
