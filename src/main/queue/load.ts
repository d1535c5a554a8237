/** A load: it crosses by itself, through Comlink, behind all writes that were called before it. */
import { Promise, performance } from '../../protocol/surroundings.ts';
import type { Trace } from '../observe/channels.ts';
import type { LoadCall, Watcher } from './member.ts';

export class Load {
  readonly kind = 'load';
  readonly call: LoadCall;
  /** By `performance.now()`. */
  readonly askedAt = performance.now();
  readonly settlers = Promise.withResolvers<unknown>();
  /** Whether writes that were called after it went to the worker: then it can't be asked again. */
  passed = false;
  readonly watchers: Watcher[] = [];
  trace: Trace | undefined;

  constructor(call: LoadCall) {
    this.call = call;
  }
}
