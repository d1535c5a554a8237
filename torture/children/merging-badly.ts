/** In the place of Yjs in the merging thread: tells of each merge, and fails in some way now and then. */
import { writeSync } from 'node:fs';
import * as Y from 'yjs';

export * from 'yjs';

/** How often, of 1. */
const failing = Number(new URL(import.meta.url).searchParams.get('failing') ?? 0);

export const encodeStateAsUpdate: typeof Y.encodeStateAsUpdate = (...given) => {
  writeSync(1, 'merging\n');
  if (Math.random() < failing) fail(Math.random());
  return Y.encodeStateAsUpdate(...given);
};

function fail(how: number): void {
  if (how < 0.5) throw new Error('on purpose');
  if (how < 0.8) process.exit(0);
  const all: unknown[] = [];
  for (;;) all.push(new Array(100_000).fill({})); // until its memory is used up
}
