/**
 * Two processes that have one document open, append to it and merge it at random; and each a document of its own, which it deletes while it
 * is open and while the other one merges it. Nothing that any of them stored is lost, and nothing deleted comes back.
 */
import type { Engine } from '../tests/support/engine.ts';
import { type Ended, Program } from './child-process.ts';
import { changesIn, documentOf } from './counted-document.ts';
import { onFiles } from './engines.ts';
import { Random } from './random.ts';
import { type RigContext, scaled, within } from './rig.ts';

const PROCESSES = 2;
const ROUNDS = 1000;
/** Each run begins with an empty database. */
const ROUNDS_OF_A_RUN = 100;

/** What one of the processes is to do. */
export interface Task {
  place: string;
  index: number;
  rounds: number;
  seed: number;
}

export async function runOn(engine: Engine, { seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  for (let left = scaled(ROUNDS, scale, 20); left > 0; left -= ROUNDS_OF_A_RUN) {
    const rounds = Math.min(left, ROUNDS_OF_A_RUN);
    const place = await engine.freshPlace();
    await share(place, rounds, `seed ${seed}, with ${left} rounds left`);
    await engine.discard(place);
  }

  async function share(place: string, rounds: number, where: string): Promise<void> {
    const programs = Array.from({ length: PROCESSES }, (_, index) => {
      const task: Task = { place, index, rounds, seed: random.below(2 ** 31) };
      return new Program('compacting-documents', [JSON.stringify(task)]);
    });
    try {
      const ended = await within(300_000, `the end, ${where}`, Promise.all(programs.map((program) => program.ended)));
      for (const [index, program] of programs.entries()) check(program, ended[index], `${where}, process ${index}`);
    } finally {
      await Promise.all(programs.map((program) => program.end()));
    }
    report.count('rounds of two processes', rounds);
    await judge(place, programs, where);
  }

  function check({ lines, errors }: Program, ended: Ended | undefined, where: string): void {
    if (ended?.code !== 0) report.violation(`${where}: ended with ${ended?.signal ?? ended?.code}: ${errors}`);
    for (const line of lines) {
      const [word] = line.split(' ');
      if (word === 'acknowledged') report.count('merges of the shared document');
      if (word === 'deleted') report.count('documents deleted while they were open');
      if (word === 'wrong' || word === 'failed') report.violation(`${where}: ${line}`);
    }
  }

  async function judge(place: string, programs: readonly Program[], where: string): Promise<void> {
    const rows = await engine.rowsOf(place);
    const shared = documentOf('shared', rows);
    const stores = new Set([...rows.snapshots, ...rows.patches].map(({ store_id }) => store_id));
    for (const [index, { lines }] of programs.entries()) {
      const [, length, own] = lines.findLast((line) => line.startsWith('end '))?.split(' ') ?? [];
      const list = shared.getArray(`list-${index}`).toArray();
      if (list.length !== Number(length) || list.some((number, at) => number !== at))
        report.violation(`${where}: of ${length} updates of process ${index}, ${list.length} are there`);
      report.count('updates found again', list.length);
      const name = `own-${index}`;
      const found = stores.has(name) ? changesIn(documentOf(name, rows)) : 'deleted';
      if (String(found) !== own) report.violation(`${where}: '${name}' has ${found} changes, not ${own}`);
    }
  }
}

export const run = onFiles(runOn);
