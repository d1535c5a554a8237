/**
 * In whose asynchronous context (`AsyncLocalStorage`) code runs. Callbacks run in that of the call that they belong to;
 * whatever lives longer than a call, threads above all, belongs to none: it would keep that call's store for good.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

export type InContext = <R>(run: () => R) => R;

/** What runs a function later in the context that is the current one now. */
export function currentContext(): InContext {
  return AsyncLocalStorage.snapshot();
}

/** Runs a function in no call's context: in the one in which this module was loaded. */
export const outsideOfCalls: InContext = currentContext();
