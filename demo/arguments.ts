/** The arguments of the demo: what they mean, and what is wrong with them. */
import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';

export const help = `Usage: npm start -- [options]

Plays an editing session, persists it through this package and through the synchronous provider,
restores it from the file in a fresh process, and compares the two sides.

  --edits N      edits of the made-up session, 1 to 1,000,000 (default 20,000)
  --seed N       the made-up session to take, 0 to 4,294,967,295 (default 1)
  --trace FILE   replay a recorded session instead: JSON, gzipped or plain,
                 { startContent, endContent, txns: [{ patches: [[position, deletedCount, insertedText]] }] }
  --db FILE      write this package's database to FILE and keep it; it must not exist yet
  --svg FILE     where the picture goes (default out/event-loop-delay.svg)
  --json         print one JSON object instead of the table; with "npm start --silent -- --json"
                 nothing else is on stdout
  --help         print this

Exit code: 0 if both restored documents are what was written, 1 if one differs or could not be
written, 2 if an argument is wrong or the trace can't be read.`;

export interface DemoArguments {
  help: boolean;
  json: boolean;
  edits: number;
  seed: number;
  tracePath: string | undefined;
  dbPath: string | undefined;
  svgPath: string | undefined;
}

/** An argument is wrong; the message is one sentence that says which and why. */
export class ArgumentError extends Error {}

/** @throws ArgumentError */
export function readArguments(args: string[]): DemoArguments {
  const values = parse(args);
  const result: DemoArguments = {
    help: values.help,
    json: values.json,
    edits: integer('--edits', values.edits, 1, 1_000_000) ?? 20_000,
    seed: integer('--seed', values.seed, 0, 2 ** 32 - 1) ?? 1,
    tracePath: path('--trace', values.trace),
    dbPath: path('--db', values.db),
    svgPath: path('--svg', values.svg),
  };
  if (result.help) return result;
  for (const name of ['edits', 'seed'] as const) {
    if (values.trace === undefined || values[name] === undefined) continue;
    throw new ArgumentError(`--${name} is for a made-up session and can't be combined with --trace.`);
  }
  if (result.dbPath !== undefined) {
    for (const suffix of ['', '-wal', '-shm']) {
      const file = result.dbPath + suffix;
      if (existsSync(file)) throw new ArgumentError(`--db: '${file}' exists already and is not overwritten.`);
    }
    checkFolder('--db', result.dbPath);
  }
  if (result.svgPath !== undefined) {
    checkFolder('--svg', result.svgPath);
    if (isFolder(result.svgPath)) throw new ArgumentError(`--svg: '${result.svgPath}' is a folder.`);
  }
  return result;
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        edits: { type: 'string' },
        seed: { type: 'string' },
        trace: { type: 'string' },
        db: { type: 'string' },
        svg: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    // Node adds advice for rarer cases after the first sentence
    const [sentence = ''] = (error as Error).message.split(/[.\n]\s*(?=[A-Z\n]|$)/);
    throw new ArgumentError(`${sentence}; --help lists the options.`);
  }
}

function integer(name: string, value: string | undefined, least: number, most: number): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (/^\d+$/.test(value) && number >= least && number <= most) return number;
  throw new ArgumentError(`${name} must be an integer from ${least} to ${most}, not '${value}'.`);
}

/** npm runs a script in the package's folder, and tells in which folder it was called itself. */
const callersFolder = (process.env.npm_lifecycle_event === 'start' && process.env.INIT_CWD) || process.cwd();

function path(name: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (value === '') throw new ArgumentError(`${name} needs the path of a file.`);
  return resolve(callersFolder, value);
}

function checkFolder(name: string, file: string): void {
  const folder = dirname(file);
  if (!isFolder(folder)) throw new ArgumentError(`${name}: there is no folder '${folder}'.`);
}

function isFolder(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
