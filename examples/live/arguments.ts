/** The arguments of `npm run live`: what they mean, and what is wrong with them. */
import { isAbsolute, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ArgumentError, firstSentence, portOf } from './server/options.ts';

export { ArgumentError };

export const DEFAULT_PORT = 4100;

export const help = `Usage: npm run live -- [options]

People edit a document together in their browsers; the server persists each key press, once through
this package and, in a process beside it, through the synchronous provider. The page shows what that
costs either server.

  --port N         the page's port (default ${DEFAULT_PORT}); the servers take the two after it, 0 takes any free ones
  --host ADDRESS   where to listen (default 127.0.0.1: nobody but this machine)
  --db FOLDER      keep the documents in FOLDER; without it they are gone at the end
  --open           open the page in the browser
  --record FOLDER  play a scripted minute in a browser without a window, and write its pictures to FOLDER
  --soak [MINUTES] 200 editors at speed for so long (default 10), then tell what is left of memory,
                   sockets and files
  --help           print this

Ctrl-C ends it; all documents are saved first.

Exit code: 0 after Ctrl-C or once done, 1 if something failed, 2 if an argument is wrong or the port is taken.`;

export interface LiveArguments {
  help: boolean;
  open: boolean;
  port: number;
  host: string;
  folder: string | undefined;
  record: string | undefined;
  soakMinutes: number | undefined;
}

/** @throws ArgumentError */
export function readArguments(args: string[]): LiveArguments {
  const { values, positionals } = parse(args);
  const result: LiveArguments = {
    help: values.help,
    open: values.open,
    port: portOf('--port', values.port) ?? DEFAULT_PORT,
    host: values.host,
    folder: pathOf('--db', values.db),
    record: pathOf('--record', values.record),
    soakMinutes: undefined,
  };
  if (result.port > 65_533) throw new ArgumentError('--port leaves no room for the two ports after it.');
  const [minutes, ...more] = positionals;
  if (values.soak) result.soakMinutes = minutesOf(minutes ?? '10');
  else if (minutes !== undefined) more.unshift(minutes);
  if (more.length > 0) throw new ArgumentError(`There is no argument '${more[0]}'; --help lists the options.`);
  if (result.soakMinutes !== undefined && result.record !== undefined) {
    throw new ArgumentError('--soak and --record are two programs; name one of them.');
  }
  return result;
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        open: { type: 'boolean', default: false },
        port: { type: 'string' },
        host: { type: 'string', default: '127.0.0.1' },
        db: { type: 'string' },
        record: { type: 'string' },
        soak: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new ArgumentError(firstSentence(error));
  }
}

function minutesOf(text: string): number {
  const minutes = Number(text);
  if (minutes > 0 && minutes <= 600) return minutes;
  throw new ArgumentError(`--soak takes minutes, up to 600, not '${text}'.`);
}

/** npm runs a script in the package's folder, and tells in which folder it was called itself. */
const callersFolder = (process.env.npm_lifecycle_event === 'live' && process.env.INIT_CWD) || process.cwd();

function pathOf(name: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (value === '') throw new ArgumentError(`${name} needs the path of a folder.`);
  return isAbsolute(value) ? value : resolve(callersFolder, value);
}
