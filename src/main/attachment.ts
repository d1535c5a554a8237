/** A provider's hold on its database: attempts to open it, one at a time, waiting for a store that another process has, and its release. */
import type { Report } from '../protocol/service.ts';
import { Promise, pause, performance } from '../protocol/surroundings.ts';
import type { Member } from './queue/member.ts';
import { type OpenFile, releaseFile } from './workers/worker-pool.ts';

/** Between attempts to get a store that another process has: a thousand stores that wait for one must not keep others from work. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;

export class Attachment {
  readonly #file: OpenFile;
  readonly #member: Member;
  /** Under way, or what came of it: before Node 24 a promise that is kept keeps its call's asynchronous context. */
  #attempt: Promise<Report> | Report = {};
  /** Whether the failure of `#attempt` was told, so that the next one who asks tries again. */
  #failed = false;
  #isOver = false;

  constructor(file: OpenFile, member: Member) {
    this.#file = file;
    this.#member = member;
    this.#begin();
  }

  #begin(): void {
    const { promise, resolve } = Promise.withResolvers<Report>();
    this.#attempt = promise;
    this.#file.worker.attach(this.#file.queue, this.#member, (report) => {
      this.#attempt = report;
      resolve(report);
    });
  }

  /** Whether the last attempt failed, and says nothing any more: it was told, or calls are carried out since. */
  get #isPast(): boolean {
    return this.#failed || (this.#member.wasServed && 'failure' in this.#attempt);
  }

  /** Whether another process may give the store back: it was never this one's. */
  get mayComeFree(): boolean {
    return this.#file.queue.location.server !== undefined && !this.#member.wasOwned;
  }

  /** What came of it; a store that another process has is waited for until it is released. */
  async outcome(): Promise<Report> {
    const giveUpAt = performance.now() + this.#member.settings.StoreWaitMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      if (this.#member.wasOpened) return {};
      if (this.#isPast && !this.#isOver) {
        this.#failed = false;
        this.#begin();
      }
      const report = await this.#attempt;
      if (report.failure === undefined || this.#member.wasOpened) return {};
      this.#failed = true;
      const left = giveUpAt - performance.now();
      if (report.failure.code !== 'fenced' || !this.mayComeFree || left <= 0 || this.#isOver) return report;
      await pause(Math.min(pauseMs * (0.5 + Math.random()), left));
      // closed meanwhile: the worker must not hear of it again
      if (this.#isOver) return report;
    }
  }

  /** Waits for what was called before; returns what went wrong with closing the file. */
  async release(): Promise<Report> {
    this.#isOver = true;
    const { queue, worker } = this.#file;
    await queue.barrier(this.#member); // whatever failed has rejected its own promise, or is told at the end
    const { promise, resolve } = Promise.withResolvers<Report>();
    worker.detach(queue, this.#member, (report) => {
      queue.leave(this.#member);
      releaseFile(this.#file);
      resolve(report);
    });
    return promise;
  }
}
