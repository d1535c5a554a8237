/** The command line: reads the arguments, shows help, ends with 0 (fine), 1 (found something, or failed) or 2 (wrong arguments). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { commands } from './commands.ts';
import { pathIn } from './files.ts';
import { keepWorkingWithoutReaders, output } from './output.ts';
import { type OptionValues, Run, refusedDocument, WrongArguments } from './run.ts';
import { plain, styled } from './screen.ts';

const PROGRAM = 'sds-persistence-worker';
const every = {
  json: { type: 'boolean', default: false, what: 'one JSON document on stdout instead of text' },
  quiet: { type: 'boolean', default: false, short: 'q', what: 'no output but errors' },
  help: { type: 'boolean', default: false, short: 'h', what: 'this' },
} as const;

const overview = `Looks after the database files of ${PROGRAM}.

  npx ${PROGRAM} COMMAND …

${Object.entries(commands)
  .map(([name, { form, what }]) => `  ${`${name} ${form}`.padEnd(26)}${what}`)
  .join('\n')}

  npx ${PROGRAM} COMMAND --help   options and examples of a command
  npx ${PROGRAM} --version

Every command takes --json, --quiet and --help. Exit codes: 0 fine, 1 something was found or failed, 2 wrong
arguments. A name that begins with a dash goes after '--'.`;

function helpOf(name: string): string {
  const { form, what, options, examples, more } = commands[name] as (typeof commands)[string]; // one of its keys
  const all: [string, { type: string; what: string }][] = Object.entries({ ...options, ...every });
  const lines = all.map(
    ([option, { type, what: meaning }]) => `  ${`--${option}${type === 'string' ? ' …' : ''}`.padEnd(16)}${meaning}`,
  );
  const samples = examples.map((example) => `  npx ${PROGRAM} ${example}`);
  return `${what[0]?.toUpperCase()}${what.slice(1)}.

  npx ${PROGRAM} ${name} ${form}

${more === undefined ? '' : `${more}\n\n`}Options:
${lines.join('\n')}

Examples:
${samples.join('\n')}`;
}

/** Returns the exit code. */
async function runCommand(args: readonly string[]): Promise<number> {
  const [name = '', ...rest] = args;
  if (name === '--version') return print(version());
  if (name === '--help' || name === '-h' || (name === 'help' && rest[0] === undefined)) return print(overview);
  if (name === 'help') return runCommand([String(rest[0]), '--help']);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    const wrong = name === '' ? 'a command is missing' : `there is no command '${plain(name)}'`;
    throw new WrongArguments(`${wrong}; there are ${Object.keys(commands).join(', ')}`);
  }
  const { values, positionals } = read(rest, { ...command.options, ...every });
  if (values.help) return print(helpOf(name));
  const takes = command.form.match(/[A-Z|]+/g)?.length ?? 0;
  const isMore = positionals.length > takes && !command.form.includes('…');
  if (positionals.length < takes || isMore || positionals.includes('')) {
    throw new WrongArguments(`it is: ${`${name} ${command.form}`.trim()}`);
  }
  const run = new Run(name, values);
  await command.run(run, positionals.map(pathIn), values);
  return run.end();
}

function read(args: string[], options: ParseArgsOptionsConfig): { values: OptionValues; positionals: string[] } {
  try {
    return parseArgs({ args, options, allowPositionals: true }) as { values: OptionValues; positionals: string[] };
  } catch (error) {
    // its first sentence, and how a value with a dash is written; the rest is about '--', or a line of its own
    const { message } = error as Error;
    const [, hint = ''] = /argument starting with a dash( use .*)\.$/.exec(message) ?? [];
    throw new WrongArguments(message.replace(/\.\s.*$/s, '') + hint.replace(' ', '; '));
  }
}

/** In the document if one is asked for, as far as arguments that are wrong tell that. */
function refuse(args: readonly string[], message: string): void {
  const [name = ''] = args;
  const end = args.indexOf('--');
  if ((end < 0 ? args : args.slice(0, end)).includes('--json')) {
    process.stdout.write(refusedDocument(Object.hasOwn(commands, name) ? name : '', message));
  } else {
    process.stderr.write(`${styled('red', 'wrong arguments:', process.stderr)} ${plain(message)}.\n`);
  }
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function version(): string {
  return (JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as { version: string })
    .version;
}

/** Of an output that found no room, say, a script must not believe that it is whole. */
function tellUnwritten(): void {
  if (output.failure === undefined) return;
  process.stderr.write(
    `${styled('red', 'error:', process.stderr)} the output could not be written: ${plain(output.failure.message)}\n`,
  );
  process.exitCode ||= 1;
}

keepWorkingWithoutReaders();
process.once('exit', tellUnwritten); // a write may fail after the last line of this program
const args = process.argv.slice(2);
try {
  process.exitCode = await runCommand(args);
} catch (error) {
  if (!(error instanceof WrongArguments)) throw error;
  refuse(args, `${error.message}; 'npx ${PROGRAM} --help' shows what there is`);
  process.exitCode = 2;
}
