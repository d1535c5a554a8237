/** The arguments of `npm run two-servers`: what they mean, and what is wrong with them. */
import { parseArgs } from 'node:util';

const defaults = { documents: 8, editors: 2, edits: 100, lease: 2000 };
const limits = {
  documents: { least: 1, most: 500 },
  editors: { least: 1, most: 20 },
  edits: { least: 1, most: 100_000 },
  lease: { least: 1000, most: 60_000 },
};

export const help = `Usage: npm run two-servers -- [options]

Two document servers on one PostgreSQL database, and people who type on both. In mid-typing one server is
killed: its documents go on at the other. At the end each document is read from the database and compared
with what the people have, byte for byte.

  --documents N   so many documents (default ${defaults.documents})
  --editors N     who type in each of them (default ${defaults.editors})
  --edits N       that each of them makes before, and once more after it (default ${defaults.edits})
  --lease MS      after which a server that is not heard of loses its documents (default ${defaults.lease}, from ${limits.lease.least})
  --pause         stop one server instead (SIGSTOP) and let it go on once the other has its documents:
                  what it writes then is refused
  --help          print this

The database is started for this, in a folder for temporary files, and removed at the end.

Exit code: 0 if nothing was lost and all is the same, 1 if not, 2 if an argument is wrong.`;

export interface PlayArguments {
  documents: number;
  editors: number;
  edits: number;
  leaseMs: number;
  pause: boolean;
}

/** An argument is wrong; the message is one sentence that says which and why. */
export class ArgumentError extends Error {}

/**
 * @returns undefined if only help is wanted
 * @throws ArgumentError
 */
export function readArguments(args: string[]): PlayArguments | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  if (values.pause && process.platform === 'win32') {
    throw new ArgumentError('--pause needs signals that Windows does not have.');
  }
  return {
    documents: numberOf('documents', values.documents),
    editors: numberOf('editors', values.editors),
    edits: numberOf('edits', values.edits),
    leaseMs: numberOf('lease', values.lease),
    pause: values.pause,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        documents: { type: 'string' },
        editors: { type: 'string' },
        edits: { type: 'string' },
        lease: { type: 'string' },
        pause: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    // the first sentence; the others are advice for rarer cases
    const [sentence = ''] = (error as Error).message.split(/[.\n]\s*(?=[A-Z\n]|$)/);
    throw new ArgumentError(`${sentence}; --help lists the options.`);
  }
}

function numberOf(name: keyof typeof defaults, text: string | undefined): number {
  if (text === undefined) return defaults[name];
  const { least, most } = limits[name];
  if (/^\d+$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text);
  throw new ArgumentError(`--${name} must be an integer from ${least} to ${most}, not '${text}'.`);
}
