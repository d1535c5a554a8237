/**
 * The family's sync engine, which relies on promises that settle within the turn of the call, on the synchronous
 * reference and on this provider: ended in every way, at several paces, with documents of 1 and 4 MB, with a file that
 * another process keeps locked now and then, on a slow disk. Nothing may be lost that the reference keeps.
 */
import { basename } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import type { Engine } from '../tests/support/engine.ts';
import { ReferenceProvider } from '../tests/support/reference-provider.ts';
import { restore } from '../tests/support/sync-engine.ts';
import { Program } from './child-process.ts';
import { onFiles } from './engines.ts';
import { buildFaultyLibrary, slowDisk } from './faulty-library.ts';
import { Random } from './random.ts';
import { type RigContext, scaled, withFolder, within } from './rig.ts';

/** One life of the program in `children/syncing.ts`. */
export interface Life {
  provider: 'reference' | 'worker';
  place: string;
  options: SDS_ProviderOptions;
  ending: 'kill' | 'exit' | 'error' | 'natural' | 'stop' | 'lost-worker';
  /** Between two edits; 0 for a turn of the event loop. */
  everyMs: number;
  edits: number;
  patchBytes: number;
  documentBytes: number;
  readsFirst: boolean;
  /** Whether it tells of what was acknowledged, and so waits for it. */
  acknowledges: boolean;
}

const endings = ['kill', 'exit', 'error', 'natural', 'stop', 'lost-worker'] as const;
const paces = [0, 1, 5, 20] as const;
const sizes = [1_000_000, 4_000_000] as const;
/** Of so many runs one is of the reference. */
const REFERENCE_EVERY = 8;
const AT_ONCE = 2;
/** What each write of a slow disk takes: of a snapshot of 4 MB there are a thousand. */
const SLOW_US = 150;
const SQLITE_BUSY = 5;
const EDIT_MS = { 0: 1, 1: 2, 5: 6, 20: 21 } as const;

export async function runOn(engine: Engine, { seed, scale, report }: RigContext): Promise<void> {
  const runs = scaled(1000, scale, endings.length);
  const random = new Random(seed);
  let library: string | undefined;
  let next = 0;
  await withFolder(async (folder) => {
    library = engine.isFile ? buildFaultyLibrary(folder, report) : undefined;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (next < runs) await live(next++);
      }),
    );
  });

  async function live(run: number): Promise<void> {
    const ending = endings[run % endings.length] ?? 'kill';
    const everyMs = paces[random.below(paces.length)] ?? 0;
    const isReference = engine.isFile && ending !== 'lost-worker' && random.below(REFERENCE_EVERY) === 0;
    const life: Life = {
      provider: isReference ? 'reference' : 'worker',
      place: await engine.freshPlace(),
      // it looks at no promise, so it must be held rather than refused
      options: engine.isFile ? {} : { LeaseMs: 1000, BusyTimeoutMs: 20_000, Overflow: 'block' },
      ending,
      everyMs,
      // for as long as a few checkpoints take
      edits: ending === 'kill' ? 100_000 : Math.ceil(700 / EDIT_MS[everyMs]),
      patchBytes: everyMs === 20 ? 12_000 : 3000,
      documentBytes: sizes[random.below(sizes.length)] ?? 0,
      // an edit each turn, while a read is on its way, begins a checkpoint each
      readsFirst: everyMs > 1 && random.chance(0.5),
      acknowledges: ending === 'kill' && random.chance(0.7),
    };
    const isLocked = engine.isFile && random.chance(0.25);
    const slowLibrary = library !== undefined && random.chance(0.2) ? library : undefined;
    const isSlow = slowLibrary !== undefined;
    const where = `seed ${seed}, run ${run}: ${JSON.stringify({ ...life, place: '' })}${isLocked ? ', file locked now and then' : ''}${isSlow ? ', slow disk' : ''}`;
    const slow = isSlow ? slowDisk(slowLibrary, basename(life.place), SLOW_US) : {};
    const program = new Program('syncing', [JSON.stringify(life)], [], slow);
    await within(
      60_000,
      `being ready (${where})`,
      program.line((line) => line === 'ready'),
    );
    const locks = isLocked ? new Locks(life.place, random) : undefined;
    if (ending === 'kill') {
      await within(60_000, `the first edits (${where})`, program.line(isCalled));
      await new Promise((resolve) => setTimeout(resolve, 50 + random.next() * 900));
      program.signal('SIGKILL');
    }
    const ended = await within(120_000, `the end (${where})`, program.ended);
    locks?.end();
    if (ending !== 'kill' && ended.code !== (ending === 'error' ? 1 : 0))
      report.violation(`${where}: ended with ${ended.code ?? ended.signal}: ${program.errors}`);
    for (const line of program.lines) if (line.startsWith('failed')) report.violation(`${where}: ${line}`);
    // what was called is promised at each end but a kill, where it is what was acknowledged
    const promised = numberIn(program.lines.findLast(ending === 'kill' ? isAcknowledged : isCalled));
    const found = await changesAt(life.place, isReference);
    const who = isReference ? ' (reference)' : '';
    report.count(`runs, ended by ${ending}${who}`);
    if (isSlow) report.count(`of these, on a slow disk${who}`);
    report.count(`changes found again${who}`, found);
    if (found < promised) report.violation(`${where}: ${found} of ${promised} changes are left`);
    await engine.discard(life.place);
  }

  async function changesAt(place: string, isReference: boolean): Promise<number> {
    const provider = isReference
      ? new ReferenceProvider(place, 'store')
      : new SDS_DesktopPersistenceProvider(place, 'store', engine.isFile ? {} : { BusyTimeoutMs: 20_000 });
    const { changes } = await restore(provider);
    await provider.close();
    return changes;
  }
}

/** Another process's locks: the file can't be written for some milliseconds, again and again. */
class Locks {
  readonly #database: DatabaseSync;
  readonly #random: Random;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, random: Random) {
    this.#database = new DatabaseSync(path);
    this.#database.exec('PRAGMA busy_timeout = 0');
    this.#random = random;
    this.#lockLater();
  }

  #lockLater(): void {
    this.#timer = setTimeout(() => {
      try {
        this.#database.exec('BEGIN IMMEDIATE');
      } catch (error) {
        if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error;
        return this.#lockLater(); // the program is at work with it
      }
      this.#timer = setTimeout(() => {
        this.#database.exec('COMMIT');
        this.#lockLater();
      }, this.#random.next() * 60);
    }, this.#random.next() * 40);
  }

  end(): void {
    clearTimeout(this.#timer);
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    this.#database.close();
  }
}

const isCalled = (line: string): boolean => line.startsWith('called ');
const isAcknowledged = (line: string): boolean => line.startsWith('acknowledged ');
const numberIn = (line: string | undefined): number => Number(line?.split(' ')[1] ?? 0);

export const run = onFiles(runOn);
