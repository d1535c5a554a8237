/**
 * Random calls of several providers on several stores in two databases, some of them in another process,
 * compared with the synchronous reference: same answers, same rows in the end. Calls are not awaited,
 * but where another process has its turn. fast-check shrinks what fails.
 */
import fc from 'fast-check';
import { SDS_DesktopPersistenceProvider, transfer } from 'sds-persistence-worker';
import type { Engine } from '../tests/support/engine.ts';
import { sqliteFiles } from '../tests/support/engine.ts';
import { ExtendedReference } from '../tests/support/extended-reference.ts';
import { linesOf } from '../tests/support/rows.ts';
import { differenceOf } from './database-rows.ts';
import { onFiles } from './engines.ts';
import { answerOf, type Call } from './model.ts';
import { OtherProcess } from './other-process.ts';
import { perform } from './perform.ts';
import { codeOf, type RigContext, scaled, within } from './rig.ts';

const MOST_CALLS = 120;

/** A call of one of the providers, those elsewhere last; `handsOver` if its bytes are transferred; `pause` before it. */
interface Step {
  provider: number;
  call: Call;
  handsOver: boolean;
  pause: 'none' | 'microtask' | 'tick' | 'await';
  /** Tells a compaction what lies in the store, and not something else. */
  sees: boolean;
  /** Closes the provider and opens it again before the call. */
  reopens: boolean;
}

const clocks = fc.oneof(fc.integer({ min: -2, max: 25 }), fc.constantFrom(0, 2 ** 53 - 1, -(2 ** 53) + 1, 1e12));
const hashes = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', '', 'ä€😀') },
  { weight: 1, arbitrary: fc.string({ maxLength: 9, unit: 'grapheme' }).filter((text) => !text.includes('\0')) },
);
const blocks = fc
  .tuple(fc.integer({ min: 0, max: 255 }), fc.constantFrom(3000, 4100, 66_000, 131_073, 400_000))
  .map(([fill, length]) => new Uint8Array(length).fill(fill));
const patches = fc.oneof({ weight: 12, arbitrary: fc.uint8Array({ maxLength: 12 }) }, { weight: 1, arbitrary: blocks });

const keys = fc.constantFrom('a', 'ab', 'abc', 'b', '', 'ä€😀', 'ä€', '\u{10ffff}', 'ab\uffff');
const seen = fc.record({
  SnapshotClock: fc.option(clocks, { nil: undefined }),
  Patches: fc.array(fc.constant(new Uint8Array(0)), { maxLength: 3 }),
  LastClock: clocks,
});

const calls: fc.Arbitrary<Call> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('appendPatch' as const), clock: clocks, bytes: patches }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('saveSnapshot' as const), clock: clocks, bytes: patches }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('prunePatches' as const), clock: clocks }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('saveValue' as const), hash: hashes, bytes: patches }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('releaseValue' as const), hash: hashes }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('loadSnapshot' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('loadPatchesSince' as const), clock: clocks }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('loadValue' as const), hash: hashes }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('loadStore' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compactStore' as const), bytes: patches, seen }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('saveRecord' as const), key: keys, bytes: patches }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        ...(['loadRecord', 'loadRecords', 'removeRecord', 'removeRecords', 'removeStore'] as const),
      ),
      key: keys,
    }),
  },
);

/** Which store of which file each provider speaks for: two share a store, all of a file share its values. */
const providers = [
  { file: 0, store: 'one' },
  { file: 0, store: 'one' },
  { file: 0, store: 'two' },
  { file: 1, store: 'one' },
] as const;
/** The same in another process: they share the stores of those above. */
const elsewhere = [
  { file: 0, store: 'one' },
  { file: 1, store: 'one' },
] as const;

const steps: fc.Arbitrary<Step> = fc.record({
  provider: fc.oneof(
    { weight: 14, arbitrary: fc.nat(providers.length - 1) },
    { weight: 1, arbitrary: fc.integer({ min: providers.length, max: providers.length + elsewhere.length - 1 }) },
  ),
  call: calls,
  handsOver: fc.boolean(),
  pause: fc.oneof(
    { weight: 30, arbitrary: fc.constant('none' as const) },
    { weight: 2, arbitrary: fc.constantFrom('microtask' as const, 'tick' as const, 'await' as const) },
  ),
  sees: fc.boolean(),
  reopens: fc.oneof({ weight: 60, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
});

export async function runOn(engine: Engine, { seed, scale, report }: RigContext): Promise<void> {
  // a database of its own for each sequence takes time where it is no file
  let remaining = scaled(engine.isFile ? 100_000 : 10_000, scale);
  const other = new OtherProcess();
  const references = sqliteFiles();
  const property = fc.asyncProperty(fc.array(steps, { maxLength: MOST_CALLS, size: 'max' }), async (sequence) => {
    if (remaining <= 0) return;
    const wrong = await within(60_000, `${sequence.length} calls`, compare(engine, references, sequence, other));
    report.count('calls', sequence.length);
    report.count('calls in another process', sequence.filter(({ provider }) => provider >= providers.length).length);
    report.count('sequences');
    remaining -= sequence.length;
    if (wrong !== undefined) throw new Error(wrong);
  });
  const { failed, counterexample, error } = await check(property);
  if (failed) report.violation(`seed ${seed}: ${error}; smallest case: ${fc.stringify(counterexample)}`);
  other.end();
  await references.end();

  async function check(property: fc.IAsyncProperty<[Step[]]>) {
    for (let round = 0; remaining > 0; round++) {
      const { failed, counterexample, errorInstance } = await fc.check(property, {
        seed: seed + round,
        numRuns: 100,
        interruptAfterTimeLimit: 120_000,
      });
      if (failed) return { failed, counterexample, error: String(errorInstance) };
    }
    return { failed: false, counterexample: null, error: '' };
  }
}

/** Carries out the steps on both implementations; says how they differ, `undefined` if they do not. */
async function compare(
  engine: Engine,
  referenceEngine: Engine,
  sequence: readonly Step[],
  other: OtherProcess,
): Promise<string | undefined> {
  const places = [await engine.freshPlace(), await engine.freshPlace()] as const;
  const referencePaths = [await referenceEngine.freshPlace(), await referenceEngine.freshPlace()] as const;
  const path = (file: 0 | 1) => places[file];
  const referencePath = (file: 0 | 1) => referencePaths[file];
  const open = ({ file, store }: (typeof providers)[number]) =>
    new SDS_DesktopPersistenceProvider(path(file), store, { Ownership: 'shared', OnClockCollision: 'ignore' });
  const subjects = providers.map(open);
  // from now on promises resolve as the reference's: before, they wait for the commit
  await Promise.all(subjects.map((subject) => subject.ready()));
  const references = [...providers, ...elsewhere].map(
    ({ file, store }) => new ExtendedReference(referencePath(file), store),
  );
  const toOther = ({ file, store }: (typeof elsewhere)[number], what: 'open' | 'close' | Call) =>
    other.request(path(file), store, what);
  await Promise.all(elsewhere.map((where) => toOther(where, 'open')));
  const found: Promise<unknown>[] = [];
  const wanted: unknown[] = [];
  let wasElsewhere = false;
  for (const step of sequence) {
    const { provider, handsOver, pause, reopens } = step;
    if (pause === 'microtask') await Promise.resolve();
    if (pause === 'tick') await new Promise(setImmediate);
    if (pause === 'await') await found.at(-1);
    const isElsewhere = provider >= providers.length;
    // the other process sees what is committed
    if (isElsewhere !== wasElsewhere) await Promise.all([...found, ...subjects.map((subject) => subject.flush())]);
    wasElsewhere = isElsewhere;
    const reference = references[provider] as ExtendedReference; // all in range
    const call =
      step.call.kind === 'compactStore' && step.sees ? { ...step.call, seen: await reference.loadStore() } : step.call;
    if (isElsewhere) {
      const where = elsewhere[provider - providers.length] as (typeof elsewhere)[number];
      if (reopens) await Promise.all([toOther(where, 'close'), toOther(where, 'open')]);
      found.push(toOther(where, call));
    } else {
      if (reopens) {
        found.push((subjects[provider] as SDS_DesktopPersistenceProvider).close());
        wanted.push(undefined);
        const opened = open(providers[provider] as (typeof providers)[number]);
        subjects[provider] = opened;
        await opened.ready();
      }
      const given = 'bytes' in call && handsOver ? { ...call, bytes: handOver(call.bytes) } : call;
      found.push(perform(subjects[provider] as SDS_DesktopPersistenceProvider, given).catch(codeOf));
    }
    wanted.push(await perform(reference, call));
  }
  const answers = await Promise.all(found);
  await Promise.all([
    ...subjects.map((subject) => subject.close()),
    ...elsewhere.map((where) => toOther(where, 'close')),
  ]);
  await Promise.all(references.map((reference) => reference.close()));
  const difference = await compareAll();
  for (const file of [0, 1] as const) {
    await engine.discard(path(file));
    await referenceEngine.discard(referencePath(file));
  }
  return difference;

  async function compareAll(): Promise<string | undefined> {
    for (const [i, answer] of answers.entries()) {
      const [a, b] = [JSON.stringify(answerOf(answer)), JSON.stringify(answerOf(wanted[i]))];
      if (a !== b) return `answer ${i} is ${String(a).slice(0, 100)}, not ${String(b).slice(0, 100)}`;
    }
    for (const file of [0, 1] as const) {
      const [ours, theirs] = [await engine.rowsOf(path(file)), await referenceEngine.rowsOf(referencePath(file))];
      const difference = differenceOf(linesOf(ours), linesOf(theirs));
      if (difference !== undefined) return `rows of file ${file}: ${difference}`;
    }
    return undefined;
  }
}

export const run = onFiles(runOn);

function handOver(bytes: Uint8Array): Uint8Array {
  const own = new Uint8Array(bytes);
  return transfer(own, [own.buffer]);
}
