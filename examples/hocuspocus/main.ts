/** `npm run hocuspocus`: the same Hocuspocus server twice, with this package and with extension-sqlite, and a page to compare them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Front } from './front.ts';

const help = `Usage: npm run hocuspocus -- [options]

A page with editors on two Hocuspocus servers: one has the extension of this package, the other
@hocuspocus/extension-sqlite. It shows how long their event loops are held up, kills the servers and
starts them again, and counts what was lost.

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

async function main(): Promise<void> {
  const { help: wantsHelp, database, port } = readArguments(process.argv.slice(2));
  if (wantsHelp) return console.log(help);
  const folder = mkdtempSync(join(tmpdir(), 'hocuspocus-'));
  try {
    const stopped = new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    });
    const databases = {
      worker: database ?? join(folder, 'documents.db'),
      'extension-sqlite': join(folder, 'extension.sqlite'),
    };
    const front = await Front.start({ port, databases });
    console.log(`\n  ${front.address}\n\nCtrl-C ends it.`);
    await stopped;
    await front.stop();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}
