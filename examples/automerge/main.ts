/** `npm run automerge`: starts the program, kills it in mid-change, starts it again, and counts what is there at the end. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type AutomergeUrl, Repo } from '@automerge/automerge-repo';
import { AutomergeRepoStorage } from 'sds-persistence-worker/automerge-repo';
import type { Notebook, Said } from './notes.ts';

const help = `Usage: npm run automerge -- [options]

A program with a repo of automerge-repo writes notes, and is killed (SIGKILL) in mid-change, again and again. Each
time the next one goes on behind what it finds. At the end, all that was flushed has to be there.

  --kills N           how often it is killed (default 5)
  --database DATABASE the path of an SQLite file or a postgres:// URL, which stay; otherwise
                      a file in a folder for temporary files, which is removed at the end
  --help              print this

Exit code: 0 if all is there, 1 if not, 2 if an argument is wrong.`;

/** Starts the program, and kills it some moment after the first note that it has added; returns the last that it said. */
async function killedOnce(database: string, url: AutomergeUrl | undefined): Promise<{ first: Said; last: Said }> {
  const args = url === undefined ? [database] : [database, url];
  const program = fork(join(import.meta.dirname, 'notes.ts'), args);
  running = program;
  const killAfter = 1 + Math.floor(Math.random() * 40);
  const said: Said[] = [];
  program.on('message', (message) => {
    said.push(message as Said);
    if (said.length > killAfter) program.kill('SIGKILL');
  });
  await new Promise((resolve) => program.once('exit', resolve));
  const [first, last] = [said[0], said.at(-1)];
  if (program.signalCode !== 'SIGKILL' || first === undefined || last === undefined) {
    throw new Error('the program has ended before it was killed');
  }
  return { first, last };
}

let running: ChildProcess | undefined;

async function play(kills: number, database: string): Promise<boolean> {
  let url: AutomergeUrl | undefined;
  let stored = 0;
  for (let kill = 1; kill <= kills; kill++) {
    const { first, last } = await killedOnce(database, url);
    if (first.stored < stored) throw new Error(`it found ${first.stored} notes, and ${stored} had been stored`);
    console.log(`found ${first.stored} notes, killed when ${last.stored} were stored`);
    ({ url, stored } = last);
  }
  const storage = new AutomergeRepoStorage(database);
  const handle = await new Repo({ storage }).find<Notebook>(url as AutomergeUrl); // there was one kill at least
  const { notes } = handle.doc();
  await storage.close();
  console.log(`at the end there are ${notes.length} notes in ${handle.url}`);
  return notes.length >= stored && notes.every((note, i) => note === `note ${i + 1}`);
}

function readArguments(): { kills: number; database: string | undefined } | undefined {
  const options = {
    kills: { type: 'string', default: '5' },
    database: { type: 'string' },
    help: { type: 'boolean' },
  } as const;
  const { values } = parseArgs({ options });
  if (values.help) return undefined;
  const kills = Number(values.kills);
  if (!Number.isInteger(kills) || kills < 1 || kills > 10_000) {
    throw new TypeError(`--kills must be an integer from 1 to 10000, not '${values.kills}'.`);
  }
  return { kills, database: values.database };
}

async function main(): Promise<number> {
  const args = readArguments();
  if (args === undefined) {
    console.log(help);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'sds-automerge-'));
  process.once('exit', () => {
    running?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
  const isGood = await play(args.kills, args.database ?? join(folder, 'notes.db'));
  console.log(isGood ? 'Nothing that was flushed is lost.' : 'Something that was flushed is lost.');
  return isGood ? 0 : 1;
}

try {
  process.exit(await main());
} catch (error) {
  console.error((error as Error).message);
  process.exit(error instanceof TypeError ? 2 : 1);
}
