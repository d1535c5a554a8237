/** Measures what a server's main thread has to bear, from one sample to the next. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Sample } from '../protocol/control.ts';

const RESOLUTION_MS = 1;

export class Meter {
  #patches = 0;
  #snapshots = 0;
  #insideMs = 0;
  /** Node's own: its timer costs less than one of JavaScript's. */
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #cpu = process.threadCpuUsage();
  #since = performance.now();

  constructor() {
    this.#delays.enable();
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

  take(): Omit<Sample, 'waiting' | 'sockets' | 'rooms'> {
    const now = performance.now();
    const cpu = process.threadCpuUsage();
    const delays = this.#delays;
    const sample = {
      ms: now - this.#since,
      // what is recorded is the time between two rounds of the timer
      delayMax: delays.count === 0 ? 0 : Math.max(0, delays.max / 1e6 - RESOLUTION_MS),
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
    this.#delays.disable();
  }
}
