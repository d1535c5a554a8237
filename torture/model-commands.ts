/**
 * Random calls, unawaited, of several providers on several stores in two files, compared with the
 * synchronous reference: same answers, same rows in the end. fast-check shrinks what fails.
 */
import { join } from 'node:path';
import fc from 'fast-check';
import { SDS_DesktopPersistenceProvider, transfer } from 'sds-persistence-worker';
import { ReferenceProvider } from '../tests/support/reference-provider.ts';
import { differenceOf, rowsIn } from './database-rows.ts';
import { answerOf, type Call } from './model.ts';
import { codeOf, type RigContext, scaled, withFolder, within } from './rig.ts';

const MOST_CALLS = 120;

/** A call of one of the providers; `handsOver` if its bytes are transferred; `pause` before it. */
interface Step {
  provider: number;
  call: Call;
  handsOver: boolean;
  pause: 'none' | 'microtask' | 'tick' | 'await';
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

const calls: fc.Arbitrary<Call> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('appendPatch' as const), clock: clocks, bytes: patches }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('saveSnapshot' as const), clock: clocks, bytes: patches }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('prunePatches' as const), clock: clocks }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('saveValue' as const), hash: hashes, bytes: patches }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('releaseValue' as const), hash: hashes }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('loadSnapshot' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('loadPatchesSince' as const), clock: clocks }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('loadValue' as const), hash: hashes }) },
);

/** Which store of which file each provider speaks for: two share a store, all of a file share its values. */
const providers = [
  { file: 0, store: 'one' },
  { file: 0, store: 'one' },
  { file: 0, store: 'two' },
  { file: 1, store: 'one' },
] as const;

const steps: fc.Arbitrary<Step> = fc.record({
  provider: fc.nat(providers.length - 1),
  call: calls,
  handsOver: fc.boolean(),
  pause: fc.oneof(
    { weight: 30, arbitrary: fc.constant('none' as const) },
    { weight: 2, arbitrary: fc.constantFrom('microtask' as const, 'tick' as const, 'await' as const) },
  ),
  reopens: fc.oneof({ weight: 60, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
});

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  let remaining = scaled(100_000, scale);
  await withFolder(async (folder) => {
    let runs = 0;
    const property = fc.asyncProperty(fc.array(steps, { maxLength: MOST_CALLS, size: 'max' }), async (sequence) => {
      if (remaining <= 0) return;
      const wrong = await within(30_000, `${sequence.length} calls`, compare(join(folder, String(runs++)), sequence));
      report.count('calls', sequence.length);
      report.count('sequences');
      remaining -= sequence.length;
      if (wrong !== undefined) throw new Error(wrong);
    });
    const { failed, counterexample, error } = await check(property);
    if (failed) report.violation(`seed ${seed}: ${error}; smallest case: ${fc.stringify(counterexample)}`);
  });

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
async function compare(place: string, sequence: readonly Step[]): Promise<string | undefined> {
  const path = (file: number) => `${place}-${file}.db`;
  const referencePath = (file: number) => `${place}-${file}-reference.db`;
  const open = ({ file, store }: (typeof providers)[number]) => new SDS_DesktopPersistenceProvider(path(file), store);
  const subjects = providers.map(open);
  const references = providers.map(({ file, store }) => new ReferenceProvider(referencePath(file), store));
  const found: Promise<unknown>[] = [];
  const wanted: unknown[] = [];
  for (const { provider, call, handsOver, pause, reopens } of sequence) {
    if (pause === 'microtask') await Promise.resolve();
    if (pause === 'tick') await new Promise(setImmediate);
    if (pause === 'await') await found.at(-1);
    if (reopens) {
      found.push((subjects[provider] as SDS_DesktopPersistenceProvider).close());
      wanted.push(undefined);
      const where = providers[provider] as (typeof providers)[number];
      subjects[provider] = open(where);
    }
    const subject = subjects[provider] as SDS_DesktopPersistenceProvider; // all in range
    const given = 'bytes' in call && handsOver ? { ...call, bytes: handOver(call.bytes) } : call;
    const promise = perform(subject, given).catch(codeOf);
    found.push(promise);
    wanted.push(await perform(references[provider] as ReferenceProvider, call));
  }
  const answers = await Promise.all(found);
  await Promise.all(subjects.map((subject) => subject.close()));
  await Promise.all(references.map((reference) => reference.close()));
  for (const [i, answer] of answers.entries()) {
    const [a, b] = [JSON.stringify(answerOf(answer)), JSON.stringify(answerOf(wanted[i]))];
    if (a !== b) return `answer ${i} is ${String(a).slice(0, 100)}, not ${String(b).slice(0, 100)}`;
  }
  for (const file of [0, 1]) {
    const difference = differenceOf(rowsIn(path(file)), rowsIn(referencePath(file)));
    if (difference !== undefined) return `rows of file ${file}: ${difference}`;
  }
  return undefined;
}

function handOver(bytes: Uint8Array): Uint8Array {
  const own = new Uint8Array(bytes);
  return transfer(own, [own.buffer]);
}

function perform(provider: SDS_DesktopPersistenceProvider | ReferenceProvider, call: Call): Promise<unknown> {
  switch (call.kind) {
    case 'appendPatch':
      return provider.appendPatch(call.bytes, call.clock);
    case 'saveSnapshot':
      return provider.saveSnapshot(call.bytes, call.clock);
    case 'prunePatches':
      return provider.prunePatches(call.clock);
    case 'saveValue':
      return provider.saveValue(call.hash, call.bytes);
    case 'releaseValue':
      return provider.releaseValue(call.hash);
    case 'loadSnapshot':
      return provider.loadSnapshot();
    case 'loadPatchesSince':
      return provider.loadPatchesSince(call.clock);
    case 'loadValue':
      return provider.loadValue(call.hash);
  }
}
