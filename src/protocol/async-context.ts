/** Callbacks run in their call's context (`AsyncLocalStorage`); what outlives it, in none: it would keep its store. */
import { AsyncResource } from 'node:async_hooks';

type InContext = <R>(run: () => R) => R;

/** Keeps no process alive, and says so: Jest (`--detectOpenHandles`) takes what does not for a handle that is open. */
class Context extends AsyncResource {
  hasRef(): boolean {
    return false;
  }
}

/** What runs a function later in the context that is the current one now. */
export function currentContext(): InContext {
  const context = new Context('sds-persistence-worker');
  return (run) => context.runInAsyncScope(run);
}

/** Runs a function in no call's context: in the one in which this module was loaded. */
export const outsideOfCalls: InContext = currentContext();
