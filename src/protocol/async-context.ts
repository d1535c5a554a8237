/** Callbacks run in their call's context (`AsyncLocalStorage`); what outlives it, in none: it would keep its store. */
import { AsyncLocalStorage } from 'node:async_hooks';

export type InContext = <R>(run: () => R) => R;

/** What runs a function later in the context that is the current one now. */
export function currentContext(): InContext {
  return AsyncLocalStorage.snapshot();
}

/** Runs a function in no call's context: in the one in which this module was loaded. */
export const outsideOfCalls: InContext = currentContext();
