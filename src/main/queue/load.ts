/** A load: it crosses by itself, through Comlink, behind all writes that were called before it. */
import { Promise, performance } from '../../protocol/surroundings.ts';
import type { Trace } from '../observe/channels.ts';
import type { LoadCall } from './member.ts';

export class Load {
  readonly kind = 'load';
  readonly call: LoadCall;
  /** Its place among all that was called on its file. */
  place = 0;
  /** By `performance.now()`. */
  readonly askedAt = performance.now();
  readonly answer = Promise.withResolvers<unknown>();
  trace: Trace | undefined;

  constructor(call: LoadCall) {
    this.call = call;
  }
}
