/** What people see: text without control characters, sizes and times in units, colours and a bar on a terminal. */
import { styleText } from 'node:util';
import type { SDS_OperationProgress } from '../main/index.ts';
import { isPostgresqlUrl, labelOf, parsePostgresqlUrl } from '../protocol/postgresql/url.ts';

const BAR_CELLS = 24;
/** On what is no terminal: a line for so many hundredths. */
const LINE_EVERY = 25;
/** What is no larger needs no report on the way. */
const SMALL: Record<SDS_OperationProgress['Unit'], number> = { bytes: 64_000_000, rows: 100_000 };

/** Names from a file may hold anything, also what a terminal would obey. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) =>
    JSON.stringify(char)
      .slice(1, -1)
      .replace(/^[^\\]$/, '?'),
  );
}

export const quoted = (text: string): string => `'${plain(text)}'`;

/** A name as it may be printed: of a URL, which may have a password in it, what database it leads to. */
export function shownPlace(name: string): string {
  if (!isPostgresqlUrl(name)) return name;
  const target = parsePostgresqlUrl(name, process.env);
  return typeof target === 'string' ? 'a PostgreSQL database' : labelOf(target);
}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

export function styled(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return stream.isTTY && stream.hasColors() ? styleText(style, text) : text;
}

const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];

export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return unit === 0
    ? `${count} ${count === 1 ? 'byte' : 'bytes'}`
    : `${value < 9.95 ? value.toFixed(1) : value.toFixed(0)} ${units[unit]}`;
}

export const number = (count: number): string => count.toLocaleString('en');

/** What fits a line of a terminal; one that does not tell its width says that it has 0 columns. */
export const fitted = (line: string, columns: number): string => (columns > 0 ? line.slice(0, columns - 1) : line);

export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${number(count)} ${count === 1 ? one : many}`;

export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (milliseconds < 999.5) return `${milliseconds.toFixed(0)} ms`;
  if (seconds < 90) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

const phases: Record<SDS_OperationProgress['Phase'], string> = {
  copy: 'copying',
  structure: 'checking the structure',
  values: 'checking values',
  rows: 'going through rows',
  rebuild: 'writing anew',
};

/** Progress on stderr: a bar that is drawn over itself, or a line now and then. */
export class ProgressLine {
  readonly #stream = process.stderr;
  readonly #quiet: boolean;
  readonly #said = new Map<string, number>();
  #width = 0;

  constructor(quiet: boolean) {
    this.#quiet = quiet;
  }

  show(what: string, { Phase, Done, Total, Unit }: SDS_OperationProgress): void {
    if (this.#quiet) return;
    const part = Done / Math.max(Total, 1);
    const amount = Unit === 'bytes' ? `${bytes(Done)} of ${bytes(Total)}` : `${number(Done)} of ${number(Total)}`;
    const percent = `${Math.floor(part * 100)}%`;
    if (this.#stream.isTTY) {
      const filled = Math.round(part * BAR_CELLS);
      const bar = '█'.repeat(filled) + '░'.repeat(BAR_CELLS - filled);
      const line = fitted(`${bar} ${percent.padStart(4)}  ${phases[Phase]}  ${amount}`, this.#stream.columns);
      this.#stream.write(`\r${line.padEnd(this.#width)}`);
      this.#width = line.length;
      return;
    }
    if (Total <= SMALL[Unit]) return;
    const step = Math.floor((part * 100) / LINE_EVERY);
    const key = `${what} ${Phase}`;
    if (step === 0 || step <= (this.#said.get(key) ?? 0)) return;
    this.#said.set(key, step);
    this.#stream.write(`${quoted(what)}: ${phases[Phase]}, ${percent}\n`);
  }

  clear(): void {
    if (this.#width > 0) this.#stream.write(`\r${' '.repeat(this.#width)}\r`);
    this.#width = 0;
  }
}
