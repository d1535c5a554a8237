/**
 * Programs in ordinary trouble of two kinds at once: a disk that is full, a lock, a lost worker, a thread that is blocked, a process that is
 * stopped. Each program follows from its seed: its databases and stores, in which style and with which options it calls, what befalls it, and
 * how it ends. The n-th program of seed S is the first one of seed S + n - 1.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import type { Rows } from '../tests/support/rows.ts';
import { numbered } from '../tests/support/sync-engine.ts';
import { type Ended, Program } from './child-process.ts';
import { Random } from './random.ts';
import { type Report, type Rig, scaled, withFolder, within } from './rig.ts';
import { brokenPromises, type Promised, type Told, toldBy } from './told-calls.ts';
import { files } from './troubles.ts';

const insides = ['lost worker', 'blocked', 'throwing'] as const;
export type Inside = (typeof insides)[number];

/** What the program is told. */
export interface Life {
  seed: number;
  /** Which of those that share the stores it is; the first one alone makes snapshots, and prunes. */
  process: number;
  /** How many there are. */
  processes: number;
  /** The file in which it tells of its calls. */
  told: string;
  stores: { path: string; id: string; providers: number }[];
  options: SDS_ProviderOptions;
  style: string;
  /** Whether it waits for its promises, at least to tell. */
  listens: boolean;
  ending: (typeof endings)[number];
  /** Until its end begins. */
  lasts: number;
  inside: { kind: Inside; at: number; lasts: number }[];
}

/** A kind of database, as trouble comes to it from others. */
export interface Land {
  kinds: readonly string[];
  /**
   * Beside those that each program has.
   *
   * @param isShared - whether all processes write their stores at the same time
   */
  optionsOf(random: Random, isShared: boolean): SDS_ProviderOptions;
  /** Whether a call that was rejected with this may be stored, given what others may be rejected with. */
  mayBeStored(failed: string, codes: readonly string[]): boolean;
  /** What calls on a database may be rejected with. */
  codesOf(kind: string, isVictim: boolean, options: SDS_ProviderOptions): readonly string[];
  /** The same where several processes share it. */
  codesOfSharing: readonly string[];
  /** Nothing where it is not permitted. */
  sceneOf(seed: number, kinds: readonly string[], trade: Trade): Promise<Scene | undefined>;
}

/** Of one program. */
export interface Scene {
  /** Its databases; the first one is the victim. */
  places: readonly string[];
  envOf(random: Random): Record<string, string>;
  /** Nothing for a trouble within the program. Returns what ends it. */
  begin(kind: string, random: Random, life: Life, program: Program | undefined): (() => unknown) | undefined;
  /** What lies in a database, `undefined` if there is none; what is wrong with it is told. */
  rowsOf(place: string, tell: (what: string) => void): Promise<Rows | undefined>;
  /** By which a database is named on stderr. */
  labelOf(place: string): string;
  end(): Promise<void>;
}

/** What programs do, and how what is left of it is judged. */
export interface Trade {
  /** In children/. */
  program: string;
  styles: readonly string[];
  /** Whether those that share stores have to have the same style. */
  isOfOneStyle: boolean;
  /** Until their end begins, beyond the shortest time. */
  mostMs: number;
  /** What of a store is not as it was promised. */
  broken(rows: Rows, id: string, told: Told, promised: Promised, life: Life): string[];
  /** Another program that would have a store. */
  another(place: string, id: string, style: string, options: SDS_ProviderOptions): Another;
}

interface Another {
  write(number: number): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Has work done in lands of a kind, as many as there are to be at once. */
export type Lands = (report: Report, work: (land: Land) => Promise<void>) => Promise<void>;

interface Befalls {
  kind: string;
  /** The process that it befalls, if it befalls one. */
  whom: number;
  /** After the program's start; before it if negative. */
  at: number;
  /** Infinite: beyond the program's end. */
  lasts: number;
}

const calling: Trade = {
  program: 'working-in-trouble',
  styles: ['awaited', 'caught', 'bursts', 'awaited bursts', 'engine', 'engine', 'tools'],
  isOfOneStyle: false,
  mostMs: 1500,
  broken: brokenPromises,
  another(place, id, _style, options) {
    const provider = new SDS_DesktopPersistenceProvider(place, id, options);
    return {
      write: (number) => provider.appendPatch(numbered(number, 500), number),
      close: () => provider.close(),
    };
  },
};
const endings = ['close', 'natural', 'exit', 'error', 'SIGTERM, close', 'SIGTERM, exit', 'kill'] as const;
/** Trouble that stays is over so long after the program's end began: `close()` waits for each call, however long that waits for a lock. */
const LONGEST_MS = 15_000;
/** For each process: each worker in turn may commit nothing for 10 s at the end, and calls wait in turn while another process writes. */
const PATIENCE_MS = 60_000;

/** @param counts - how many processes may share the stores, of which one is picked */
export function inTrouble(lands: Lands, counts: readonly number[] = [1], trade = calling): Rig {
  return async ({ seed, scale, report }) => {
    const programs = scaled(250, scale);
    let next = 0;
    await withFolder((folder) =>
      lands(report, async (land) => {
        while (next < programs) {
          const own = seed + next++;
          const failed = (error: Error) => report.violation(`seed ${own}: ${error.stack}`);
          await live(own, land, trade, counts, join(folder, `${own}-told`), report).catch(failed);
        }
      }),
    );
  };
}

interface Lived {
  life: Life;
  program: Program;
}

async function live(
  own: number,
  land: Land,
  trade: Trade,
  counts: readonly number[],
  told: string,
  report: Report,
): Promise<void> {
  const random = new Random(own);
  const processes = counts.length > 1 ? random.pick(counts) : 1;
  const troubles = [troubleOf(random, land, processes), troubleOf(random, land, processes)];
  const kinds = troubles.map(({ kind }) => kind);
  const scene = await land.sceneOf(own, kinds, trade);
  if (scene === undefined) return;
  try {
    const first = { ...lifeOf(own, random, trade, told, scene.places, troubles), processes };
    const lives = [first];
    const env = { SDS_PERSISTENCE_WORKERS: String(1 + random.below(3)), ...scene.envOf(random) };
    for (let process = 1; process < processes; process++) {
      const life = lifeOf(own, random, trade, `${told}-${process}`, scene.places, troubles, process);
      lives.push({ ...life, processes, stores: first.stores, ...(trade.isOfOneStyle ? { style: first.style } : {}) });
    }
    const isShared = processes > 1 && random.chance(0.5);
    for (const { options } of lives) Object.assign(options, land.optionsOf(random, isShared));
    await befall(lives, env, scene, troubles, random);
    for (const { ending } of lives) report.count(`programs, ended by ${ending}`);
    for (const kind of kinds) report.count(`times of trouble: ${kind}`);
  } finally {
    await scene.end();
  }

  function whereOf(life: Life): string {
    return `seed ${own}: ${JSON.stringify({ ...life, stores: life.stores.map(({ id, providers }) => `${id} ${providers}`), inside: [], troubles })}`;
  }

  /** From their start until they are gone, and all trouble with them; then those are judged that came to an end in time. */
  async function befall(
    lives: readonly Life[],
    env: Record<string, string>,
    scene: Scene,
    troubles: readonly Befalls[],
    random: Random,
  ): Promise<void> {
    const ends = new Set<() => void>();
    const ending: unknown[] = [];
    const lived: Lived[] = [];
    const begin = ({ kind, lasts, whom }: Befalls) => {
      const end = scene.begin(kind, random, lives[whom] as Life, lived[whom]?.program);
      if (end === undefined) return;
      const once = () => {
        if (ends.delete(once)) ending.push(end());
      };
      ends.add(once);
      if (lasts !== Number.POSITIVE_INFINITY) setTimeout(once, lasts);
    };
    const endAll = () => {
      for (const end of [...ends]) end();
    };
    for (const trouble of troubles) if (trouble.at < 0) begin(trouble);
    for (const life of lives)
      lived.push({ life, program: new Program(trade.program, [JSON.stringify(life)], [], env) });
    const timers: NodeJS.Timeout[] = [];
    const endOf = async ({ life, program }: Lived): Promise<Ended | undefined> => {
      try {
        await within(
          PATIENCE_MS,
          'being ready',
          program.line((line) => line === 'ready'),
        );
        for (const trouble of troubles) {
          const { whom, at } = trouble;
          if (whom === life.process && at >= 0) timers.push(setTimeout(() => begin(trouble), at));
        }
        const signal = life.ending === 'kill' ? 'SIGKILL' : life.ending.startsWith('SIGTERM') ? 'SIGTERM' : undefined;
        await pause(life.lasts);
        const start = performance.now();
        if (signal !== undefined) program.signal(signal);
        timers.push(setTimeout(endAll, LONGEST_MS));
        const ended = await within(PATIENCE_MS * lives.length, 'the end', program.ended);
        report.most(`ms until the end, by ${life.ending}`, Math.ceil(performance.now() - start));
        return ended;
      } catch (error) {
        const { message } = error as Error;
        const said = linesOf(life).slice(-3).join(' | ');
        report.violation(`${whereOf(life)}: ${message}; it said ${said}; ${program.errors}`);
        return undefined;
      }
    };
    const ended = await Promise.all(lived.map(endOf));
    for (const timer of timers) clearTimeout(timer);
    endAll();
    for (const { program } of lived) await program.end();
    await Promise.all(ending);
    for (const [process, one] of lived.entries()) await judge(one, ended[process], troubles, scene);
  }

  async function judge(
    { life, program }: Lived,
    ended: Ended | undefined,
    troubles: readonly Befalls[],
    scene: Scene,
  ): Promise<void> {
    if (ended === undefined) return;
    const { code, signal } = ended;
    const broken = (what: string) =>
      report.violation(
        `${whereOf(life)}: ${what}${program.errors === '' ? '' : `; stderr: ${program.errors.slice(-1500)}`}`,
      );
    const wanted = life.ending === 'kill' ? 'SIGKILL' : life.ending === 'error' ? 1 : 0;
    if ((signal ?? code) !== wanted) broken(`ended with ${signal ?? code}`);
    const lines = linesOf(life);
    for (const line of lines) if (line.startsWith('wrong')) broken(line);
    const pathOf = new Map(life.stores.map(({ path, id }) => [id, path]));
    // what is told on stderr names the database, or one of several, and not which of its stores
    const warnings = program.errors.split('\n').filter((line) => line.includes('SDS_PersistenceWarning'));
    const isOf = (line: string, label: string) => line.includes(label) || / and \d+ more may be lost/.test(line);
    const told = toldBy(lines, (id) => warnings.some((line) => isOf(line, scene.labelOf(pathOf.get(id) ?? ''))));
    for (const path of new Set(pathOf.values())) {
      const rows = await scene.rowsOf(path, broken);
      if (rows === undefined) continue;
      const codes = codesOf(life, troubles, path === scene.places[0], land);
      if (processes > 1) codes.push(...land.codesOfSharing);
      for (const { id } of life.stores.filter((store) => store.path === path)) {
        const store = told.get(id);
        if (store === undefined) continue;
        const odd = store.calls.find(({ failed, kind }) => {
          if (failed === undefined || codes.includes(failed)) return false;
          if (failed === 'closed') return kind !== 'prune'; // the snapshot before it was waited for
          return failed !== 'worker-lost' || kind === 'patch' || !kinds.includes('lost worker');
        });
        if (odd !== undefined) broken(`${id}: ${JSON.stringify(odd)}`);
        const ownCodes = [...codes, 'closed', ...(kinds.includes('lost worker') ? ['worker-lost'] : [])];
        for (const code of store.codes) if (!ownCodes.includes(code)) broken(`${id}: told of ${code}`);
        report.count('calls', store.calls.length);
        report.count('calls that were acknowledged', store.calls.filter(({ isKept }) => isKept).length);
        report.count('calls that were rejected', store.calls.filter(({ failed }) => failed !== undefined).length);
        const isKilled = life.ending === 'kill';
        const promised = {
          all: !isKilled,
          everyKept: life.options.Acknowledge === 'committed',
          codes,
          inOrder: isKilled && codes.length === 0,
          mayBeStored: (failed: string) => land.mayBeStored(failed, codes),
        };
        for (const what of trade.broken(rows, id, store, promised, life)) broken(what);
      }
    }
  }
}

function linesOf({ told }: Life): string[] {
  return existsSync(told) ? readFileSync(told, 'utf8').split('\n') : [];
}

/** What calls on a database may be rejected with. */
function codesOf({ options, ending }: Life, troubles: readonly Befalls[], isVictim: boolean, land: Land): string[] {
  const codes = troubles.flatMap(({ kind }) => land.codesOf(kind, isVictim, options));
  if (options.Overflow === 'reject') codes.push('queue-full');
  if (ending === 'SIGTERM, close') codes.push('closed');
  return codes;
}

function troubleOf(random: Random, { kinds }: Land, processes: number): Befalls {
  const kind = random.pick([...kinds.slice(0, -1), ...insides, ...kinds.slice(-1)]);
  // a program that stays stopped comes to no end
  const stays = random.chance(0.2) && kind !== 'stopped';
  return {
    kind,
    whom: processes === 1 ? 0 : random.below(processes),
    at: random.chance(0.15) ? -1 : random.below(1200),
    lasts: stays ? Number.POSITIVE_INFINITY : 50 + random.below(1200),
  };
}

function lifeOf(
  seed: number,
  random: Random,
  { styles, mostMs }: Trade,
  told: string,
  places: readonly string[],
  troubles: readonly Befalls[],
  process = 0,
): Omit<Life, 'processes'> {
  const paths = places.slice(0, 1 + random.below(places.length));
  const stores = Array.from({ length: Math.max(paths.length, 1 + random.below(4)) }, (_, index) => ({
    path: paths[index % paths.length] ?? '',
    id: `store-${index}`,
    providers: random.chance(0.3) ? 2 : 1,
  }));
  const inside = troubles.flatMap(({ kind, whom, at, lasts }) => {
    const found = insides.find((one) => one === kind);
    return found === undefined || whom !== process
      ? []
      : [{ kind: found, at: Math.max(1, at), lasts: Math.min(lasts, 1000) }];
  });
  return {
    seed,
    process,
    told,
    stores,
    options: {
      Acknowledge: random.pick(['queued', 'committed']),
      Durability: random.pick(['normal', 'full']),
      BusyTimeoutMs: random.pick([0, 100, 500, 2000]),
      Overflow: random.chance(0.2) ? 'reject' : 'block',
      MaxPendingBytes: random.pick([20_000, 400_000, 4_000_000, 64 * 1024 * 1024]),
      TransferSnapshots: random.chance(0.15),
    },
    style: random.pick(styles),
    listens: random.chance(0.6),
    ending: random.pick(endings),
    lasts: 300 + random.below(mostMs),
    inside,
  };
}

export const run = inTrouble(files);
