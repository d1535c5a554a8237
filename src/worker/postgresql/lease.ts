/** Renews this process's lease, unless a transaction has just done so: over a second connection while a long one is under way. */
import { clearInterval, type Promise, performance, setInterval } from '../../protocol/surroundings.ts';
import type { Connection } from './connection.ts';
import type { Holder } from './holder.ts';

/** What renewing a lease needs of the link to the server. */
export interface LeaseLink {
  /** Whether there is anything to hold. */
  readonly holdsStores: boolean;
  /** Whether something is under way, or waits for its turn. */
  readonly isBusy: boolean;
  readonly isConnected: boolean;
  /** Connects for it, if nobody else does: the lease must not run out for want of traffic. */
  renew(): Promise<void>;
  /** Gives back what was left by the one before, whose row this process has: called once all providers are known. */
  giveBackInherited(): void;
  /** Makes another connection. */
  connect(): Promise<Connection>;
}

export class Lease {
  readonly #holder: Holder;
  readonly #link: LeaseLink;
  #keeper: Connection | undefined;
  #beside: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(holder: Holder, link: LeaseLink) {
    this.#holder = holder;
    this.#link = link;
  }

  begin(): void {
    this.#timer ??= setInterval(() => {
      this.#renew();
      if (this.#holder.inherits) this.#link.giveBackInherited();
    }, this.#holder.leaseMs / 3);
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#keeper?.close();
    this.#keeper = undefined;
  }

  #renew(): void {
    if (!this.#link.holdsStores) return;
    if (performance.now() - this.#holder.renewedAt < this.#holder.leaseMs / 4) return; // a transaction did
    // tried again soon; calls tell of trouble
    if (!this.#link.isBusy) return void this.#link.renew().catch(() => undefined);
    // one of the link's own may be what it is busy with: its connection may have fallen silent
    this.#beside ??= this.#renewBeside()
      .catch(() => undefined)
      .finally(() => {
        this.#beside = undefined;
      });
  }

  async #renewBeside(): Promise<void> {
    if (!this.#link.isConnected) return; // whoever connects renews
    if (this.#keeper === undefined || this.#keeper.lost) this.#keeper = await this.#link.connect();
    const keeper = this.#keeper;
    if (this.#timer === undefined) return keeper.drop(); // ended while it was made
    try {
      await this.#holder.renew(keeper); // if that is refused, the transaction under way finds it out
    } catch (error) {
      keeper.drop();
      throw error;
    }
  }
}
