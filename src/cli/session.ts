/** One run of the command line: its options, its result for people and for programs, its exit code. */
import { SDS_PersistenceError } from '../main/index.ts';
import { ProgressLine, plain, quoted, shownPlace, styled } from './screen.ts';

/** The arguments are wrong: exit code 2. */
export class WrongArguments extends Error {}

interface Entry {
  Path: string;
  Ok: boolean;
  Result?: unknown;
  Error?: { Code: string; Message: string };
}

export class Session {
  readonly command: string;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly progress: ProgressLine;
  readonly #control = new AbortController();
  readonly #entries: Entry[] = [];

  constructor(command: string, { json, quiet }: { json: boolean; quiet: boolean }) {
    this.command = command;
    this.json = json;
    this.quiet = quiet;
    this.progress = new ProgressLine(quiet);
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      // the second one ends the process at once: what it then leaves, the next run removes
      process.once(name, () => this.#control.abort(new Error(`stopped by ${name}`)));
    }
  }

  get signal(): AbortSignal {
    return this.#control.signal;
  }

  /** A line of the result, for people. */
  say(line = ''): void {
    if (!this.json && !this.quiet) process.stdout.write(`${line}\n`);
  }

  /** A result that is for people and for programs the same text. */
  print(text: string): void {
    if (this.json) this.#entries.push({ Path: '', Ok: true, Result: text });
    else if (!this.quiet) process.stdout.write(text);
  }

  /**
   * Carries out a piece of work on a file, and keeps its result or its error.
   *
   * @param isFine - whether the result is one without anything wrong
   */
  async work<T>(
    path: string,
    run: () => Promise<T>,
    isFine: (result: T) => boolean = () => true,
  ): Promise<T | undefined> {
    if (this.signal.aborted) return undefined;
    try {
      const result = await run();
      this.#entries.push({ Path: shownPlace(path), Ok: isFine(result), Result: result });
      return result;
    } catch (error) {
      this.fail(path, error);
      return undefined;
    } finally {
      this.progress.clear();
    }
  }

  fail(path: string, error: unknown): void {
    this.progress.clear();
    const { code, message } = describe(error);
    const shown = shownPlace(path);
    this.#entries.push({ Path: shown, Ok: false, Error: { Code: code, Message: message } });
    if (!this.json)
      process.stderr.write(`${styled('red', 'error:', process.stderr)} ${quoted(shown)}: ${plain(message)}\n`);
  }

  /** Prints the one document of `--json`, and returns the exit code. */
  end(): number {
    const Ok = this.#entries.every((entry) => entry.Ok);
    if (this.json) {
      process.stdout.write(`${JSON.stringify({ Command: this.command, Ok, Results: this.#entries }, undefined, 2)}\n`);
    }
    return Ok ? 0 : 1;
  }
}

/** Without the name of the function, which a person did not call, and of the file, which stands before it. */
function describe(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: 'failed', message: String(error) };
  if (!(error instanceof SDS_PersistenceError)) return { code: 'stopped', message: error.message };
  const [, path = '', detail = error.message] = /^\w+ \('([\s\S]*)'\): ([\s\S]*)$/.exec(error.message) ?? [];
  // what SQLite said, where the sentence does not say it
  const { errcode, message = '' } = (error.cause ?? {}) as { errcode?: number; message?: string };
  const cause = errcode === undefined || detail.includes(message) ? '' : ` (${message})`;
  return { code: error.code, message: `${detail}${cause}${path.includes('sds-partial-') ? ' (the new file)' : ''}` };
}
