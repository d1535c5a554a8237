/** Listens to what the provider tells on channels, until the test has ended. */
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as pause } from 'node:timers/promises';
import type { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { onTestFinished } from 'vitest';

type Told = Record<string, unknown>;

interface Traced {
  events: string[];
  contexts: Told[];
}

/** Collects what is told of a call, as `event name`. */
export function traced(name: string): Traced {
  const events: string[] = [];
  const contexts: Told[] = [];
  const told = (event: string) => (context: unknown) => {
    events.push(event);
    if (event === 'asyncEnd') contexts.push(context as Told);
  };
  const subscribers = {
    start: told('start'),
    end: told('end'),
    asyncStart: told('asyncStart'),
    asyncEnd: told('asyncEnd'),
    error: told('error'),
  };
  const tracing = tracingChannel(`sds-persistence:${name}`);
  tracing.subscribe(subscribers);
  onTestFinished(() => void tracing.unsubscribe(subscribers));
  return { events, contexts };
}

export function told(name: string): Told[] {
  const messages: Told[] = [];
  const listener = (message: unknown) => void messages.push(message as Told);
  subscribe(`sds-persistence:${name}`, listener);
  onTestFinished(() => void unsubscribe(`sds-persistence:${name}`, listener));
  return messages;
}

/** The worker tidies up when there was nothing to do for 50 ms, of which it tells nobody before the next call. */
export async function afterQuiet(provider: SDS_DesktopPersistenceProvider): Promise<void> {
  await pause(100);
  await provider.loadSnapshot();
}
