/** One run of the command line: its options, its result for people and for programs, its exit code. */
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { type SDS_OperationOptions, SDS_PersistenceError } from '../main/index.ts';
import { ifPossible } from '../protocol/if-possible.ts';
import { ProgressLine, plain, quoted, shownPlace, styled } from './screen.ts';

/** The arguments are wrong: exit code 2. */
export class WrongArguments extends Error {}

/** What the command line could not do before a function of the package was called, or was stopped in. The codes are frozen, as theirs are. */
export class Failure extends Error {
  readonly code: 'no-database' | 'folder-unreadable' | 'folder-not-made' | 'stopped';

  constructor(code: Failure['code'], message: string) {
    super(message);
    this.code = code;
  }
}

interface Entry {
  Path: string;
  Ok: boolean;
  Result?: unknown;
  Error?: { Code: string; Message: string };
}

/** The one document of `--json`. */
function documentOf(command: string, results: readonly Entry[]): string {
  const Ok = results.every((entry) => entry.Ok);
  return `${JSON.stringify({ Command: command, Ok, Results: results }, undefined, 2)}\n`;
}

/** The same for arguments that are wrong, of which there is no run. */
export function refusedDocument(command: string, message: string): string {
  return documentOf(command, [{ Path: '', Ok: false, Error: { Code: 'wrong-arguments', Message: message } }]);
}

/** The options on the command line. */
export type OptionValues = Readonly<Record<string, string | boolean | string[] | undefined>>;

export class Run {
  readonly command: string;
  readonly json: boolean;
  readonly quiet: boolean;
  /** Whether a folder stands for the folders in it as well. */
  readonly recursive: boolean;
  readonly #progress: ProgressLine;
  readonly #control = new AbortController();
  readonly signal: AbortSignal = this.#control.signal;
  readonly #entries: Entry[] = [];
  #hasItems = false;

  constructor(command: string, { json, quiet, recursive }: OptionValues) {
    this.command = command;
    this.json = json === true;
    this.quiet = quiet === true;
    this.recursive = recursive === true;
    this.#progress = new ProgressLine(this.quiet);
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      // the second one ends the process at once: what it then leaves, the next run removes
      process.once(name, () => this.#control.abort(new Failure('stopped', `stopped by ${name}`)));
    }
  }

  /** What each operation on a file is given: it may be stopped, and shows how far it is. */
  optionsFor(path: string): Required<SDS_OperationOptions> {
    return { Signal: this.signal, OnProgress: (progress) => this.#progress.show(path, progress) };
  }

  get failures(): number {
    return this.#entries.filter((entry) => !entry.Ok).length;
  }

  /** A line of the result, for people. */
  say(line = ''): void {
    if (!this.json && !this.quiet) process.stdout.write(`${line}\n`);
  }

  /** Keeps the result of a piece of work on a file, or its error; `isFine`: whether nothing is wrong in it. */
  async work<T>(
    path: string,
    run: () => Promise<T>,
    isFine: (result: T) => boolean = () => true,
  ): Promise<T | undefined> {
    if (this.signal.aborted) {
      // of all that is not begun any more, the first is told
      if (this.#entries.at(-1)?.Error?.Code !== 'stopped') this.fail(path, this.signal.reason);
      return undefined;
    }
    try {
      const result = await run();
      this.#entries.push({ Path: shownPlace(path), Ok: isFine(result), Result: result });
      return result;
    } catch (error) {
      this.fail(path, error);
      return undefined;
    } finally {
      this.#progress.clear();
    }
  }

  fail(path: string, error: unknown): void {
    this.#progress.clear();
    const shown = shownPlace(path);
    const { code, message } = describe(error, path);
    this.#entries.push({ Path: shown, Ok: false, Error: { Code: code, Message: message } });
    this.complain(shown, message);
  }

  /** A line about what is wrong, for people; also with `--quiet`. */
  complain(shown: string, message: string): void {
    if (this.json) return;
    process.stderr.write(`${styled('red', 'error:', process.stderr)} ${quoted(shown)}: ${plain(message)}\n`);
  }

  /** Writes one of what is the result together: of what goes on for long, neither memory nor the reader waits for the end. */
  item(path: string, item: unknown): void {
    if (!this.json) return;
    const [Command, Path] = [this.command, shownPlace(path)].map((text) => JSON.stringify(text));
    const before = this.#hasItems ? ',' : `{ "Command": ${Command}, "Results": [{ "Path": ${Path}, "Result": [`;
    process.stdout.write(`${before}\n${JSON.stringify(item)}`);
    this.#hasItems = true;
  }

  /** Prints the one document of `--json`, or its end, and returns the exit code. */
  end(): number {
    const [{ Ok, Error } = { Ok: true }] = this.#entries;
    const rest = `\n], ${JSON.stringify({ Ok, Error }).slice(1)}], "Ok": ${Ok} }\n`;
    if (this.json) process.stdout.write(this.#hasItems ? rest : documentOf(this.command, this.#entries));
    return this.failures > 0 ? 1 : 0;
  }
}

/** Without the name of the function, and of the file if it stands before it; an option by the name that it has here. */
function describe(error: unknown, path: string): { code: string; message: string } {
  if (error instanceof Failure) return error;
  if (!(error instanceof SDS_PersistenceError)) {
    return { code: 'failed', message: error instanceof Error ? error.message : String(error) };
  }
  const [, about, detail = error.message] = /^\w+(?: \('([\s\S]*)'\))?: ([\s\S]*)$/.exec(error.message) ?? [];
  const said = detail
    .replace(/\bOverwrite(?= replaces it)/, '--overwrite')
    .replace('Verify: false', '--no-verify')
    .replace(/^(To|Target\w*)(?= must be |: )/, 'the target')
    .replace(/^(From|\w+Path)(?= must be |: )/, 'the source')
    .replace(/^[A-Z]\w*(?= must be )/, 'it'); // of whatever name: the file that is named in front
  const isElsewhere = about !== undefined && about !== shownPlace(path) && !isSame(about, path);
  return { code: error.code, message: isElsewhere ? `${quoted(about)}: ${said}` : said };
}

/** Whether a name, as it was typed, means the file that is named in a message by its real path. */
function isSame(real: string, name: string): boolean {
  // what is not there has no real path
  return ifPossible(() => realpathSync.native(name) === real) ?? basename(name) === basename(real);
}
