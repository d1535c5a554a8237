/** Processes that append to one store, each by a count of its own, and compact it at random while the others go on. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../support/engine.ts';
import { runProgram } from '../support/programs.ts';
import { text } from './contract-suite.ts';

const ROUNDS = 60;
const support = (name: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, '../support', name)).href);

/**
 * Prints each part of the document once it is acknowledged; the last line is how often this process compacted. It counts on by itself,
 * without a look at the numbers of the others: so what it appends often lies below the snapshot's number.
 * A process that the others beat each time goes on by itself until it has compacted once.
 */
const program = (name: string, seed: number, size: number) => `
import { randomOf } from ${support('random.ts')};
const provider = new SDS_DesktopPersistenceProvider(file, 'document', {
  Ownership: 'shared', OnClockCollision: 'keep', BusyTimeoutMs: 60_000,
});
const pick = randomOf(${seed});
const bytes = (text) => new TextEncoder().encode(text);
const text = (bytes) => new TextDecoder().decode(bytes);
let [clock, count, compactions] = [0, 0, 0];
const appended = [];
const append = () => {
  const part = '${name}.' + ++count;
  appended.push(provider.appendPatch(bytes(part), ++clock).then(() => console.log(part)));
};
for (let round = 0; round < ${ROUNDS} || compactions === 0; round++) {
  for (let more = pick(4); more > 0; more--) append();
  if (pick(2) === 0) await appended.at(-1);
  if (pick(2) === 0) continue;
  const contents = await provider.loadStore();
  const merged = [...contents.Patches, ...(contents.Snapshot === undefined ? [] : [contents.Snapshot])].map(text);
  for (let more = pick(3); more > 0; more--) append();
  if (pick(2) === 0) await appended.at(-1);
  const data = bytes(merged.join('\\n').padEnd(${size}));
  if (await provider.compactStore(data, contents)) compactions++;
}
await Promise.all(appended);
await provider.close();
console.log('compacted ' + compactions);
`;

export function describeCompactingProcesses(engine: Engine, seeds: readonly number[]): void {
  describe(`processes that compact one store in ${engine.name}`, () => {
    for (const seed of seeds) {
      it(`seed ${seed}: whatever was acknowledged to one of them is there in the end`, async () => {
        const place = await engine.freshPlace();
        const large = seed % 2 === 0 ? 300_000 : 0;
        const names = ['a', 'b', 'c'];
        const ended = await Promise.all(
          names.map((name, index) => runProgram(program(name, seed * 10 + index, large), place)),
        );
        const reader = new SDS_DesktopPersistenceProvider(place, 'document', { Ownership: 'shared' });
        const { Snapshot, Patches } = await reader.loadStore();
        await reader.close();
        const found = new Set(
          [...Patches, ...(Snapshot === undefined ? [] : [Snapshot])].flatMap((part) => text(part).trim().split(/\s+/)),
        );
        for (const { code, stdout, stderr } of ended) {
          expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
          const told = stdout.trimEnd().split('\n');
          expect(told.pop()).toMatch(/^compacted [1-9]/);
          expect(told.filter((part) => !found.has(part))).toEqual([]);
        }
      });
    }
  });
}
