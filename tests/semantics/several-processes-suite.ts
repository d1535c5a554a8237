/** Processes that make random calls on one database at the same time, each on its own stores, compared with the reference. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../support/engine.ts';
import { ExtendedReference } from '../support/extended-reference.ts';
import { freshFile, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';
import { randomOf } from '../support/random.ts';
import { lineOf, randomCall } from '../support/random-calls.ts';

const CALLS = 800;
const support = (name: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, '../support', name)).href);
const storesOf = (process: number) => [1, 2].map((store) => `store ${store} of process ${process}`);

/** Makes the calls of a process, not awaited, and prints a line for each answer. */
const program = (process: number, seed: number) => `
import { randomOf } from ${support('random.ts')};
import { lineOf, randomCall } from ${support('random-calls.ts')};
const providers = ${JSON.stringify(storesOf(process))}.map((store) => new SDS_DesktopPersistenceProvider(file, store, { BusyTimeoutMs: 60_000 }));
// before that a snapshot's promise waits, and prunes leave what is appended meanwhile: the reference knows no meanwhile
for (const provider of providers) await provider.ready();
const pick = randomOf(${seed});
const answers = [];
for (let call = 0; call < ${CALLS}; call++) {
  answers.push(randomCall(pick, 2, 'hash of process ${process}')(providers));
  if (call % 100 === 99) await answers.at(-1);
}
for (const answer of answers) console.log(lineOf(await answer));
await Promise.all(providers.map((provider) => provider.close()));
`;

export function describeSeveralProcesses(engine: Engine, seeds: readonly number[]): void {
  describe(`several processes on one place in ${engine.name}`, () => {
    for (const seed of seeds) {
      it(`seed ${seed}: three of them get the answers, and leave the rows, of the reference`, async () => {
        const place = await engine.freshPlace();
        const processes = [1, 2, 3];
        const ended = await Promise.all(
          processes.map((process) =>
            runProgram(program(process, seed * 10 + process), place, {
              flags: ['--disable-warning=SDS_CLOCK_COLLISION'],
            }),
          ),
        );
        const reference = freshFile();
        for (const process of processes) {
          const providers = storesOf(process).map((store) => new ExtendedReference(reference, store));
          const pick = randomOf(seed * 10 + process);
          const wanted: string[] = [];
          for (let call = 0; call < CALLS; call++) {
            wanted.push(lineOf(await randomCall(pick, 2, `hash of process ${process}`)(providers)));
          }
          const { code, stdout, stderr } = ended[process - 1] as (typeof ended)[number]; // one for each process
          expect({ process, code, stderr }).toEqual({ process, code: 0, stderr: '' });
          expect(stdout.trimEnd().split('\n'), `answers in process ${process}`).toEqual(wanted);
          await Promise.all(providers.map((provider) => provider.close()));
        }
        expect(await engine.rowsOf(place)).toEqual(rowsOf(reference));
      });
    }
  });
}
