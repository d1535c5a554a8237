/** The commands: their arguments, options, examples, and what they run. */
import type { ParseArgsOptionDescriptor } from 'node:util';
import { backup, compact, copy, restore } from './change.ts';
import { info, schema, verify } from './inspect.ts';
import { type OptionValues, type Run, WrongArguments } from './run.ts';
import { watch } from './watch.ts';

interface Option extends ParseArgsOptionDescriptor {
  what: string;
}

interface Command {
  /** Its arguments; with '…' as many more as there are. */
  form: string;
  what: string;
  options: Record<string, Option>;
  examples: string[];
  /** A paragraph for its help. */
  more?: string;
  run(run: Run, names: string[], values: OptionValues): Promise<void>;
}

const flag = (what: string): Option => ({ type: 'boolean', default: false, what });
const recursive = flag('folders within a folder, too');
const MANY = Number.POSITIVE_INFINITY;
/** A timer of Node waits for no more than 2^31 - 1 ms: a longer one fires at once. */
const MOST_SECONDS = 2_147_483;
const looks =
  'Changes neither the file nor its log, and may look at a file that a program is writing.\n' +
  'Only before Node 22.12, the log of a killed program is taken into the file.';

export const commands: Readonly<Record<string, Command>> = {
  info: {
    form: 'FILE|FOLDER …',
    what: 'tells what is in a file: sizes, stores, patches, values',
    options: { recursive },
    examples: ['info notes.db', 'info --json notes.db', 'info --recursive /var/lib/notes'],
    more: looks,
    run: info,
  },
  verify: {
    form: 'FILE|FOLDER …',
    what: 'checks a file: structure, rows, values against their hash',
    options: { recursive },
    examples: ['verify notes.db', 'verify --quiet /var/lib/notes || alert'],
    more: `${looks}\nEach finding says what to do.`,
    run: verify,
  },
  backup: {
    form: 'SOURCE TARGET',
    what: 'copies a file while programs go on writing it',
    options: { overwrite: flag('replaces the target'), recursive },
    examples: ['backup notes.db /backup/notes.db', 'backup --overwrite /var/lib/notes /backup/notes'],
    more: 'The target appears when it is whole and on the disk. A folder is copied file by file.',
    run: backup,
  },
  restore: {
    form: 'BACKUP TARGET',
    what: 'puts a backup in the place of a file',
    options: {
      overwrite: flag('replaces the target, which no program may have open'),
      recursive,
      'no-verify': flag('does not verify the backup first'),
    },
    examples: ['restore /backup/notes.db notes.db', 'restore --overwrite /backup/notes.db notes.db'],
    more: 'The target is replaced at one moment; if anything fails before that, it stays as it is.',
    run: restore,
  },
  compact: {
    form: 'FILE|FOLDER …',
    what: 'gives the free space in a file back',
    options: { recursive },
    examples: ['compact notes.db', 'compact --json /var/lib/notes'],
    more: 'No program may have the file open. Its folder needs room for the new file meanwhile.',
    run: compact,
  },
  copy: {
    form: 'SOURCE … TARGET',
    what: 'copies stores into another file or database',
    options: {
      store: { type: 'string', multiple: true, what: 'this store only (may be repeated)' },
      overwrite: flag('replaces stores of the same name in the target'),
      'no-values': flag('leaves out the values, which belong to no store'),
      salvage: flag('leaves out what can not be read of a damaged file'),
    },
    examples: [
      'copy notes.db all.db',
      "copy --store 'my store' --store tasks notes.db all.db",
      'copy notes.db tasks.db postgres://notes@db.example.com/notes',
    ],
    more: `Into a file all of it is copied or nothing. It is made if it is not there; others may have it open.

SOURCE and TARGET may be URLs of PostgreSQL databases. Everybody on the machine can see what is on a command line:
leave the password out of the URL, and set PGPASSWORD. What was copied is compared with the sources. Into
such a database whole stores are copied one after the other; if it is cut off, the same command goes on from there.`,
    run: copy,
  },
  schema: {
    form: '',
    what: 'prints the SQL of the tables in a PostgreSQL database',
    options: {},
    examples: ['schema > tables.sql'],
    more: 'A provider makes them itself, unless its option CreateTables is false.',
    run: schema,
  },
  watch: {
    form: 'FILE',
    what: 'shows how fast a program is writing a file right now',
    options: {
      every: { type: 'string', what: 'seconds between two looks (1)' },
      count: { type: 'string', what: 'ends after so many looks' },
    },
    examples: ['watch notes.db', 'watch --every 10 --count 6 --json notes.db'],
    more: 'Everything is seen from the file: the program need not know of it, and is not held up.',
    run: (run, [path = ''], values) =>
      watch(
        run,
        path,
        positive(values.every, 'every', 1, seconds) * 1000,
        positive(values.count, 'count', MANY, whole),
      ),
  },
};

const seconds = { what: `a number above 0, at most ${MOST_SECONDS}`, test: (number: number) => number <= MOST_SECONDS };
const whole = { what: 'a whole number above 0', test: Number.isSafeInteger };

function positive(value: unknown, name: string, otherwise: number, { what, test }: typeof seconds): number {
  if (value === undefined) return otherwise;
  const number = Number(value);
  if (typeof value === 'string' && value.trim() !== '' && number > 0 && test(number)) return number;
  throw new WrongArguments(`--${name} must be ${what}, not '${String(value)}'`);
}
