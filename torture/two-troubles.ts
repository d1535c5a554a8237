/**
 * Programs in ordinary trouble of two kinds at once: a disk that is full, a lock, a lost worker, a thread that is blocked, a process that is
 * stopped. Each program follows from its seed: its files and stores, in which style and with which options it calls, what befalls it, and
 * how it ends. The n-th program of seed S is the first one of seed S + n - 1.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { SDS_ProviderOptions } from 'sds-persistence-worker';
import { type Ended, Program } from './child-process.ts';
import { integrityOf } from './database-rows.ts';
import { FaultControl } from './fault-control.ts';
import { buildFaultyLibrary, newControl, slowDisk, withFaults } from './faulty-library.ts';
import { Random } from './random.ts';
import { type RigContext, scaled, withFolder, within } from './rig.ts';
import { brokenPromises, toldBy } from './told-calls.ts';
import { type Outside, outside, type Victim } from './troubles.ts';

const insides = ['lost worker', 'blocked', 'throwing'] as const;
export type Inside = (typeof insides)[number];

/** What the program is told. */
export interface Life {
  seed: number;
  /** The file in which it tells of its calls. */
  told: string;
  stores: { path: string; id: string; providers: number }[];
  options: SDS_ProviderOptions;
  style: (typeof styles)[number];
  /** Whether it waits for its promises, at least to tell. */
  listens: boolean;
  ending: (typeof endings)[number];
  /** Until its end begins. */
  lasts: number;
  inside: { kind: Inside; at: number; lasts: number }[];
}

interface Befalls {
  kind: Outside | Inside | 'slow';
  /** After the program's start; before it if negative. */
  at: number;
  /** Infinite: beyond the program's end. */
  lasts: number;
}

const styles = ['awaited', 'caught', 'bursts', 'awaited bursts', 'engine', 'engine', 'tools'] as const;
const endings = ['close', 'natural', 'exit', 'error', 'SIGTERM, close', 'SIGTERM, exit', 'kill'] as const;
const kinds = [...(Object.keys(outside) as Outside[]), ...insides, 'slow'] as const;
const AT_ONCE = 3;
const DISK = 'size=64m';
/** Trouble that stays is over so long after the program's end began. */
const LONGEST_MS = 15_000;
/** Each worker in turn may commit nothing for 10 s at the end. */
const PATIENCE_MS = 60_000;

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  const programs = scaled(250, scale);
  let next = 0;
  await withFolder(async (folder) => {
    const library = buildFaultyLibrary(folder, report);
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (next < programs) {
          const own = seed + next++;
          await live(own, folder, library).catch((error: Error) => report.violation(`seed ${own}: ${error.stack}`));
        }
      }),
    );
  });

  async function live(own: number, parent: string, library: string | undefined): Promise<void> {
    const random = new Random(own);
    const troubles = [troubleOf(random), troubleOf(random)];
    const has = (kind: Befalls['kind']) => troubles.some((one) => one.kind === kind);
    const disk = join(parent, `${own}`);
    const victim: Victim = {
      folder: join(disk, 'here'),
      path: join(disk, 'here', 'faulty-0.db'),
      ballast: join(disk, 'ballast'),
      faults: undefined,
      program: undefined,
    };
    mkdirSync(disk);
    if (has('full') && !mounted(disk)) return;
    try {
      mkdirSync(victim.folder);
      const life = lifeOf(own, random, disk, victim.path, troubles);
      const where = `seed ${own}: ${JSON.stringify({ ...life, stores: life.stores.map(({ id, providers }) => `${id} ${providers}`), inside: [], troubles })}`;
      const env: Record<string, string> = { SDS_PERSISTENCE_WORKERS: String(1 + random.below(3)) };
      if (library !== undefined && has('slow'))
        Object.assign(env, slowDisk(library, 'faulty-', 100 + random.below(1500)));
      if (library !== undefined && has('faults')) {
        const control = newControl(parent);
        Object.assign(env, withFaults(library, control));
        victim.faults = new FaultControl(control);
      }
      const { program, ended, isOnTime } = await befall(life, env, victim, troubles, random, where);
      if (isOnTime) judge(life, program, ended, troubles, victim, where);
      report.count(`programs, ended by ${life.ending}`);
      for (const { kind } of troubles) report.count(`times of trouble: ${kind}`);
    } finally {
      if (has('full')) execFileSync('umount', ['-l', disk]);
    }
  }

  function mounted(disk: string): boolean {
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', DISK, 'none', disk], { stdio: 'pipe' });
      return true;
    } catch (error) {
      report.skip(`mounting a small file system is not permitted here: ${String(error).split('\n')[0]}`);
      return false;
    }
  }

  /** From its start until it is gone, and all trouble with it. */
  async function befall(
    life: Life,
    env: Record<string, string>,
    victim: Victim,
    troubles: readonly Befalls[],
    random: Random,
    where: string,
  ): Promise<{ program: Program; ended: Ended; isOnTime: boolean }> {
    const ends = new Set<() => void>();
    const begin = ({ kind, lasts }: Befalls) => {
      if (!(kind in outside)) return;
      const end = outside[kind as Outside].begin(victim, random);
      const once = () => {
        if (ends.delete(once)) end();
      };
      ends.add(once);
      if (lasts !== Number.POSITIVE_INFINITY) setTimeout(once, lasts);
    };
    const endAll = () => {
      for (const end of [...ends]) end();
    };
    const early = troubles.filter(({ at }) => at < 0);
    for (const trouble of early) begin(trouble);
    const program = new Program('working-in-trouble', [JSON.stringify(life)], [], env);
    victim.program = program;
    const timers: NodeJS.Timeout[] = [];
    try {
      await within(
        PATIENCE_MS,
        'being ready',
        program.line((line) => line === 'ready'),
      );
      for (const trouble of troubles)
        if (!early.includes(trouble)) timers.push(setTimeout(() => begin(trouble), trouble.at));
      const signal = life.ending === 'kill' ? 'SIGKILL' : life.ending.startsWith('SIGTERM') ? 'SIGTERM' : undefined;
      await pause(life.lasts);
      const start = performance.now();
      if (signal !== undefined) program.signal(signal);
      timers.push(setTimeout(endAll, LONGEST_MS));
      const ended = await within(PATIENCE_MS, 'the end', program.ended);
      report.most(`ms until the end, by ${life.ending}`, Math.ceil(performance.now() - start));
      return { program, ended, isOnTime: true };
    } catch (error) {
      const { message } = error as Error;
      report.violation(`${where}: ${message}; it said ${linesOf(life).slice(-3).join(' | ')}; ${program.errors}`);
      return { program, ended: { code: null, signal: null }, isOnTime: false };
    } finally {
      for (const timer of timers) clearTimeout(timer);
      endAll();
      await program.end();
    }
  }

  function judge(
    life: Life,
    program: Program,
    { code, signal }: Ended,
    troubles: readonly Befalls[],
    victim: Victim,
    where: string,
  ): void {
    const broken = (what: string) =>
      report.violation(`${where}: ${what}${program.errors === '' ? '' : `; stderr: ${program.errors.slice(-1500)}`}`);
    const wanted = life.ending === 'kill' ? 'SIGKILL' : life.ending === 'error' ? 1 : 0;
    if ((signal ?? code) !== wanted) broken(`ended with ${signal ?? code}`);
    const lines = linesOf(life);
    for (const line of lines) if (line.startsWith('wrong')) broken(line);
    const pathOf = new Map(life.stores.map(({ path, id }) => [id, path]));
    // what is told on stderr names the file, and not which of its stores
    const told = toldBy(lines, (id) => program.errors.includes(`'${pathOf.get(id)}'`));
    for (const { path, id } of life.stores) {
      if (!existsSync(path)) continue;
      const sound = integrityOf(path);
      if (sound !== 'ok') broken(`integrity_check of ${id}: ${sound}`);
      const store = told.get(id);
      if (store === undefined) continue;
      const codes = codesOf(life, troubles, path === victim.path);
      const odd = store.calls.find(({ failed, kind }) => {
        if (failed === undefined || codes.includes(failed)) return false;
        if (failed === 'closed') return kind !== 'prune'; // the snapshot before it was waited for
        return failed !== 'worker-lost' || kind === 'patch' || !troubles.some((one) => one.kind === 'lost worker');
      });
      if (odd !== undefined) broken(`${id}: ${JSON.stringify(odd)}`);
      report.count('calls', store.calls.length);
      report.count('calls that were acknowledged', store.calls.filter(({ isKept }) => isKept).length);
      report.count('calls that were rejected', store.calls.filter(({ failed }) => failed !== undefined).length);
      const isKilled = life.ending === 'kill';
      const promised = {
        all: !isKilled,
        everyKept: life.options.Acknowledge === 'committed',
        inOrder: isKilled && codes.length === 0,
        inDoubt: codes.includes('io-error'),
      };
      for (const what of brokenPromises(path, id, store, promised)) broken(what);
    }
  }
}

function linesOf({ told }: Life): string[] {
  return existsSync(told) ? readFileSync(told, 'utf8').split('\n') : [];
}

/** What calls on a file may be rejected with. */
function codesOf({ options, ending }: Life, troubles: readonly Befalls[], isVictim: boolean): string[] {
  const codes: string[] = [];
  if (isVictim) codes.push(...troubles.flatMap(({ kind }) => (kind in outside ? outside[kind as Outside].codes : [])));
  if (options.Overflow === 'reject') codes.push('queue-full');
  if (ending === 'SIGTERM, close') codes.push('closed');
  return codes;
}

function troubleOf(random: Random): Befalls {
  const kind = random.pick(kinds);
  // a program that stays stopped comes to no end
  const stays = random.chance(0.2) && kind !== 'stopped';
  return {
    kind,
    at: random.chance(0.15) ? -1 : random.below(1200),
    lasts: stays ? Number.POSITIVE_INFINITY : 50 + random.below(1200),
  };
}

function lifeOf(seed: number, random: Random, disk: string, victim: string, troubles: readonly Befalls[]): Life {
  const paths = [victim, `${disk}-sound-1.db`, `${disk}-sound-2.db`].slice(0, 1 + random.below(3));
  const stores = Array.from({ length: Math.max(paths.length, 1 + random.below(4)) }, (_, index) => ({
    path: paths[index % paths.length] ?? victim,
    id: `store-${index}`,
    providers: random.chance(0.3) ? 2 : 1,
  }));
  const inside = troubles.flatMap(({ kind, at, lasts }) =>
    kind === 'lost worker' || kind === 'blocked' || kind === 'throwing'
      ? [{ kind, at: Math.max(1, at), lasts: Math.min(lasts, 1000) }]
      : [],
  );
  return {
    seed,
    told: `${disk}-told`,
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
    lasts: 300 + random.below(1500),
    inside,
  };
}
