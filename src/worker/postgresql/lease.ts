/**
 * Renews this process's lease, unless a transaction has just done so: over a second connection while a long one is under way. With
 * it, what lost connections have left at the server is looked for, if it was at work before.
 */
import { clearInterval, performance, setInterval } from '../../protocol/surroundings.ts';
import type { Claims } from './claims.ts';
import type { Connection } from './connection.ts';
import type { Holder } from './holder.ts';
import type { ServerLink } from './server-link.ts';
import { ServerError } from './sqlstates.ts';

export class Lease {
  readonly #holder: Holder;
  readonly #claims: Claims;
  readonly #link: ServerLink;
  #keeper: Connection | undefined;
  #beside: Promise<void> | undefined;
  #settling: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(holder: Holder, claims: Claims, link: ServerLink) {
    this.#holder = holder;
    this.#claims = claims;
    this.#link = link;
  }

  begin(): void {
    this.#timer ??= setInterval(() => {
      this.#renew();
      if (this.#claims.areSettled) return;
      // not once more with each renewal while the link is busy
      this.#settling ??= this.#link
        .useOnce((connection) => this.#claims.settle(connection))
        .finally(() => {
          this.#settling = undefined;
        });
    }, this.#holder.leaseMs / 3);
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#keeper?.close();
    this.#keeper = undefined;
  }

  #renew(): void {
    if (!this.#claims.any) return;
    const isRenewed = performance.now() - this.#holder.renewedAt < this.#holder.leaseMs / 4; // a transaction did
    if (isRenewed && !this.#link.hasLeft) return;
    // it must not run out for want of traffic; tried again soon if it fails, and calls tell of trouble
    if (!this.#link.isBusy) return void this.#link.useOnce((connection) => this.#renewOver(connection), true);
    // one of the link's own may be what it is busy with: its connection may have fallen silent
    this.#beside ??= this.#renewBeside()
      .catch((error) => {
        // fenced, or the row is locked: found out by the transaction under way, and this connection is as good as before
        if (error instanceof ServerError && error.retry === 'reconnect') this.#keeper?.drop();
      })
      .finally(() => {
        this.#beside = undefined;
      });
  }

  async #renewBeside(): Promise<void> {
    if (!this.#link.isConnected) return; // whoever connects renews
    if (this.#keeper === undefined || this.#keeper.lost) this.#keeper = await this.#link.connect();
    if (this.#timer === undefined) return this.#keeper.drop(); // ended while it was made
    await this.#renewOver(this.#keeper);
  }

  async #renewOver(connection: Connection): Promise<void> {
    await this.#link.endLeft(connection); // it may have this process's row
    await this.#holder.renew(connection);
  }
}
