/** A worker is lost in the middle of a batch that it carries out promise by promise: the next one knows what has failed before. */
import { expect, it } from 'vitest';
import { BatchWriter } from '../../src/main/queue/batch-writer.ts';
import { Arena } from '../../src/protocol/arena.ts';
import { Delays } from '../../src/protocol/delays.ts';
import { ENTRY_ACKNOWLEDGED } from '../../src/protocol/entries.ts';
import { arenaBytesFor, SLAB_DONE } from '../../src/protocol/slabs.ts';
import { Batches } from '../../src/worker/batches.ts';
import { type Engine, EngineError, type Writes } from '../../src/worker/engine.ts';
import { aCaller } from '../support/a-caller.ts';

const arena = new Arena(new SharedArrayBuffer(arenaBytesFor(0)));
const commitPoints = new Int32Array(new SharedArrayBuffer(4));

/** The operations of a transaction; no value can be saved. */
function operationsIn(writes: Writes): string[] {
  const operations: string[] = [];
  while (writes.next()) {
    if (writes.operation === 'saveValue') throw new EngineError('database-full', { message: 'on purpose' });
    operations.push(writes.operation);
  }
  return operations;
}

/** A worker begins with the batch in the first slab; it goes on until its engine waits for something. */
function begin(transact: Engine['transact']): void {
  const host = {
    arena,
    commitPoints,
    members: new Map([[1, aCaller]]),
    progressed: () => {},
    resumed: () => {},
    report: () => {},
  };
  const engine = { transact } as Engine;
  const batches = new Batches(0, engine, host, new Delays(), new Set([aCaller]));
  const run = batches.run([{ number: 1, firstSlab: 0, askedAt: 0 }]);
  // 0: other files may have their turn
  for (let step = run.next(); step.done !== true && step.value === 0; ) step = run.next();
}

it('a release behind a save that has failed takes no reference of another entry', () => {
  const writer = new BatchWriter({ arena, sizeOf: () => 4096 } as unknown as ConstructorParameters<
    typeof BatchWriter
  >[0]);
  writer.enter(0, { slabs: [], bytes: 0 } as unknown as Parameters<BatchWriter['enter']>[1]);
  const bytes = new Uint8Array(1);
  writer.write('saveValue', ENTRY_ACKNOWLEDGED, 1, 0, 0, bytes, bytes.length, 'hash', 4);
  writer.write('appendPatch', 0, 1, 1, 1, bytes, bytes.length, '', 0);
  writer.write('releaseValue', ENTRY_ACKNOWLEDGED, 1, 2, 0, undefined, 0, 'hash', 4);
  writer.complete();
  begin((writes) => {
    operationsIn(writes);
    return new Promise(() => {}); // with the patch; then the worker is lost
  });
  expect(arena.cell(SLAB_DONE)).toBe(1);
  const carriedOut: string[] = [];
  begin((writes, { cells, index, value }) => {
    carriedOut.push(...operationsIn(writes));
    cells[index] = value;
  });
  expect(commitPoints[0]).toBe(1);
  expect(carriedOut).toEqual(['appendPatch']);
});
