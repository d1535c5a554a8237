/** What `npm run hocuspocus` and `npm run yjs-server` do: the same server twice, with this package and with another, and a page to compare them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Example, Front } from './front.ts';

export interface Command extends Example {
  /** As `npm run` knows it. */
  name: string;
  /** What the page has editors on. */
  about: string;
}

const helpOf = ({ name, about }: Command) => `Usage: npm run ${name} -- [options]

${about}
It shows how long their event loops are held up, kills the servers and starts them again, and
counts what was lost.

  --database DATABASE  where this package keeps its documents: the path of an SQLite file, or a
                       postgres:// URL, which stay; otherwise a file in a folder for temporary
                       files, which is removed at the end
  --port N             of the page (default 8090)
  --help               print this

Only this machine can open it. Exit code: 2 if an argument is wrong or something can't be started.`;

function readArguments(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      database: { type: 'string' },
      port: { type: 'string', default: '8090' },
      help: { type: 'boolean', default: false },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`--port must be a port, not '${values.port}'.`);
  return { ...values, port };
}

async function main(command: Command): Promise<void> {
  const { help, database, port } = readArguments(process.argv.slice(2));
  if (help) return console.log(helpOf(command));
  const folder = mkdtempSync(join(tmpdir(), `${command.name}-`));
  try {
    const stopped = new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    });
    const front = await Front.start(command, {
      port,
      database: database ?? join(folder, 'documents.db'),
      otherDatabase: join(folder, command.other),
    });
    console.log(`\n  ${front.address}\n\nCtrl-C ends it.`);
    await stopped;
    await front.stop();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function run(command: Command): Promise<void> {
  try {
    await main(command);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 2;
  }
}
