/** A worker is lost in the middle of a batch that it carries out promise by promise: the next one knows what has failed before. */
import { expect, it } from 'vitest';
import { BatchWriter } from '../../src/main/queue/batch-writer.ts';
import { Arena } from '../../src/protocol/arena.ts';
import { Delays } from '../../src/protocol/delays.ts';
import {
  ENTRY_ACKNOWLEDGED,
  ENTRY_NO_EFFECT,
  entryBytes,
  flagsOf,
  OUTCOME_OPEN,
  outcomeOf,
  type WriteOperation,
} from '../../src/protocol/entries.ts';
import { arenaBytesFor, SLAB_HEADER } from '../../src/protocol/slabs.ts';
import { Batches } from '../../src/worker/batches.ts';
import { BatchReader } from '../../src/worker/channel/batch-reader.ts';
import { type Engine, EngineError, type Writes } from '../../src/worker/engine.ts';
import { WaitedInVain } from '../../src/worker/patience.ts';
import { aMember } from '../support/a-member.ts';

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

/** A worker, which knows of no failure, begins with the batch in the first slab; it goes on until its engine waits for a promise. */
function begin(transact: Engine['transact'], BusyTimeoutMs = 0): void {
  const member = { ...aMember };
  const host = {
    arena,
    commitPoints,
    members: new Map([[1, member]]),
    progressed: () => {},
    resumed: () => {},
    report: () => {},
  };
  const engine = { transact } as Engine;
  const inVain = new WaitedInVain();
  inVain.came({ BusyTimeoutMs });
  const batches = new Batches(0, engine, host, new Delays(), inVain);
  const run = batches.run([{ number: 1, firstSlab: 0, askedAt: 0 }]);
  for (let step = run.next(); step.done !== true && typeof step.value === 'number'; ) step = run.next();
}

type Call = [operation: WriteOperation, isAcknowledged: boolean];

/** Each is called by itself: `true` if its promise had resolved. */
function batchOf(...calls: Call[]): void {
  batchAt(0, calls);
}

function batchAt(slab: number, calls: Call[]): void {
  const memory = { arena, sizeOf: () => 4096 } as unknown as ConstructorParameters<typeof BatchWriter>[0];
  const writer = new BatchWriter(memory);
  writer.enter(slab, { slabs: [], bytes: 0 } as unknown as Parameters<BatchWriter['enter']>[1]);
  for (const [settler, [operation, isAcknowledged]] of calls.entries()) {
    const [key, data] = [operation === 'appendPatch' ? '' : 'hash', new Uint8Array(1)];
    writer.write(operation, isAcknowledged ? ENTRY_ACKNOWLEDGED : 0, 1, settler, 1, data, 1, key, key.length);
  }
  writer.complete();
}

/** The first worker is lost with the first patch in its hands; returns what the next one carries out. */
function carriedOutByTheNext(): string[] {
  commitPoints[0] = 0;
  begin((writes) => {
    operationsIn(writes);
    return new Promise(() => {});
  });
  const carriedOut: string[] = [];
  begin((writes, { cells, index, value }) => {
    carriedOut.push(...operationsIn(writes));
    cells[index] = value;
  });
  expect(commitPoints[0]).toBe(1);
  return carriedOut;
}

it('a release behind a save that has failed takes no reference of another entry', () => {
  batchOf(['saveValue', true], ['appendPatch', false], ['releaseValue', true]);
  expect(carriedOutByTheNext()).toEqual(['appendPatch']);
});

it('where a release was refused for that, the next one takes a reference that was there before', () => {
  batchOf(['saveValue', true], ['releaseValue', false], ['appendPatch', false], ['releaseValue', false]);
  expect(carriedOutByTheNext()).toEqual(['appendPatch', 'releaseValue']);
});

it('where a release failed with a commit in doubt, the next worker refuses the one that is called again', () => {
  batchOf(['saveValue', true], ['releaseValue', false], ['appendPatch', false], ['releaseValue', false]);
  commitPoints[0] = 0;
  let attempts = 0;
  begin(() => {
    if (attempts++ > 0) return new Promise(() => {});
    throw Object.assign(new EngineError('io-error', { message: 'at the commit' }), { mayBeStored: true });
  });
  expect(attempts, 'the patch by itself').toBe(2);
  expect(carriedOutByTheNext()).toEqual(['appendPatch']);
});

it('a call that was stored by itself has not failed, whatever trouble of the whole file comes behind it', () => {
  batchOf(['appendPatch', false], ['appendPatch', false]);
  commitPoints[0] = 0;
  let attempts = 0;
  begin((writes, { cells, index, value }) => {
    operationsIn(writes);
    attempts++;
    if (attempts === 1) throw new EngineError('io-error', { message: 'both together' });
    if (attempts === 3) throw new EngineError('database-busy', { message: 'the second one' });
    cells[index] = value;
  });
  expect(commitPoints[0]).toBe(1);
  const outcomes = [SLAB_HEADER, SLAB_HEADER + entryBytes(0, 1)].map((at) => outcomeOf(arena.cell(at >> 2)));
  expect(outcomes.map((outcome) => outcome === OUTCOME_OPEN)).toEqual([true, false]);
});

it('a call that was stored by itself is not carried out again with those behind it, which may rely on it', () => {
  batchOf(['saveSnapshot', false], ['releaseValue', false], ['prunePatches', false]);
  commitPoints[0] = 0;
  let attempts = 0;
  begin((writes, { cells, index, value }) => {
    operationsIn(writes);
    attempts++;
    if (attempts === 1) throw new EngineError('io-error', { message: 'all together' });
    if (attempts > 2) return new Promise(() => {});
    cells[index] = value;
  });
  const transactions: string[][] = [];
  begin((writes, { cells, index, value }) => {
    transactions.push(operationsIn(writes));
    cells[index] = value;
  });
  expect(commitPoints[0]).toBe(1);
  expect(transactions).toEqual([['releaseValue'], ['prunePatches']]);
});

it.each(['io-error', 'database-busy'] as const)(
  'what an engine throws behind a commit that it has published (%s) is no failure of it, nor tried again',
  (code) => {
    batchOf(['appendPatch', false]);
    commitPoints[0] = 0;
    const carriedOut: string[] = [];
    begin((writes, { cells, index, value }) => {
      carriedOut.push(...operationsIn(writes));
      cells[index] = value;
      throw new EngineError(code, { message: 'on purpose' });
    }, 100);
    expect(carriedOut).toEqual(['appendPatch']);
    expect(outcomeOf(arena.cell(SLAB_HEADER >> 2))).toBe(OUTCOME_OPEN);
  },
);

it('a patch that a lost worker had found to be without effect has one where the next worker finds nothing in its way', () => {
  batchOf(['appendPatch', false]);
  commitPoints[0] = 0;
  begin((writes) => {
    writes.next();
    writes.markWithoutEffect(writes.at);
    return new Promise(() => {});
  });
  begin((writes, { cells, index, value }) => {
    operationsIn(writes);
    cells[index] = value;
  });
  expect(commitPoints[0]).toBe(1);
  expect(flagsOf(arena.cell(SLAB_HEADER >> 2)) & ENTRY_NO_EFFECT).toBe(0);
});

it('batches that are committed together are all carried out again where the first attempt was in vain', () => {
  const slabs = [0, 4096, 8192];
  for (const slab of slabs) batchAt(slab, [['appendPatch', false]]);
  const calls = new BatchReader(arena, slabs, new Map([[1, aMember]]));
  expect(operationsIn(calls.attempt())).toHaveLength(3);
  expect(operationsIn(calls.attempt())).toHaveLength(3);
});
