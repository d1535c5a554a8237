/** The arguments of a server, and what is wrong with them. */
import { parseArgs } from 'node:util';
import { type Side, sides } from '../protocol/control.ts';

export const help = `Usage: node server/main.ts --db FOLDER [options]

One server of collaborative documents: Yjs over WebSockets, at ws://HOST:PORT/ROOM.

  --db FOLDER        where the documents are kept
  --provider NAME    worker (this package, the default) or synchronous
  --port N           where to listen; 0 is any free one (default 0)
  --host ADDRESS     on which address (default 127.0.0.1: nobody but this machine)
  --page-port N      a port whose pages may connect as well
  --help             print this`;

export interface ServerOptions {
  side: Side;
  port: number;
  host: string;
  folder: string;
  pagePort: number | undefined;
}

/** An argument is wrong; the message is one sentence that says which and why. */
export class ArgumentError extends Error {}

/** @returns undefined if only help is wanted */
export function readOptions(args: string[]): ServerOptions | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const side = sides.find((name) => name === values.provider);
  if (side === undefined) throw new ArgumentError(`--provider is worker or synchronous, not '${values.provider}'.`);
  if (!values.db) throw new ArgumentError('--db needs the folder where the documents are kept.');
  return {
    side,
    port: portOf('--port', values.port) ?? 0,
    host: values.host,
    folder: values.db,
    pagePort: portOf('--page-port', values['page-port']),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        provider: { type: 'string', default: 'worker' },
        port: { type: 'string' },
        host: { type: 'string', default: '127.0.0.1' },
        db: { type: 'string' },
        'page-port': { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw new ArgumentError(firstSentence(error));
  }
}

/** Of an error of `parseArgs`, which adds advice for rarer cases. */
export function firstSentence(error: unknown): string {
  const [sentence = ''] = (error as Error).message.split(/[.\n]\s*(?=[A-Z\n]|$)/);
  return `${sentence}; --help lists the options.`;
}

export function portOf(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value) && Number(value) <= 65_535) return Number(value);
  throw new ArgumentError(`${name} must be an integer from 0 to 65535, not '${value}'.`);
}
