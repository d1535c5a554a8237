/** The channels on which the package tells what happens, taken from where they are made: none is left out here. */
import { told, traced } from '../../src/main/observe/channels.ts';

/** The names of all of them, as `subscribe` of `node:diagnostics_channel` takes them. */
export function channelNames(): string[] {
  const ofCalls = Object.values(traced).flatMap(({ start, end, asyncStart, asyncEnd, error }) => [
    start,
    end,
    asyncStart,
    asyncEnd,
    error,
  ]);
  return [...ofCalls, ...Object.values(told)].map(({ name }) => String(name));
}
