/**
 * Programs that have a document open and are ended at random moments of appends and compactions: by SIGKILL, by `process.exit()`, by an error.
 * Meanwhile merging threads end, run out of memory or meet what can't be merged, disks are full, servers out of reach, and clients send
 * rubbish. The next program finds one of the document's states, at or after the last that was acknowledged.
 */
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Engine } from '../tests/support/engine.ts';
import { Program } from './child-process.ts';
import { changesIn, documentOf, leastIn } from './counted-document.ts';
import { integrityOf } from './database-rows.ts';
import { cutScene, quietScene, type Scene, smallDiskScene } from './document-scenes.ts';
import { onFiles } from './engines.ts';
import { Random } from './random.ts';
import { type RigContext, scaled, withFolder, within } from './rig.ts';

/** Of one document, before a last one that comes to its end. */
const LIVES = 8;
/** Documents that are worked on at the same time. */
const AT_ONCE = 3;
const PATIENCE_MS = 60_000;
const endings = ['kill', 'kill', 'kill', 'exit', 'error'] as const;

/** One program, from its start to its end. */
export interface Life {
  place: string;
  name: string;
  /** By what it keeps the document: `bindState`, `storeUpdate`, or Hocuspocus. */
  how: 'bound' | 'stored' | 'served';
  seed: number;
  /** How often, of 1, a merge fails. */
  failing: number;
  options: { leaseMs?: number; busyTimeoutMs: number };
}

/** What a program told before it was gone. */
interface Told {
  /** How many changes. */
  acknowledged: number;
  called: { changes: number; at: number }[];
  /** When it was ended, if that was by SIGKILL and nothing else stood in its way. */
  killedAt: number | undefined;
  /** Whether all that was called has to be there. */
  isWhole: boolean;
  /** Whether updates were rejected: later ones may be there without them. */
  hasGaps: boolean;
}

const NOTHING: Told = { acknowledged: 0, called: [], killedAt: undefined, isWhole: true, hasGaps: false };

export async function runOn(engine: Engine, { seed, scale, report }: RigContext): Promise<void> {
  const kills = scaled(200, scale, 3);
  let killed = 0;
  await withFolder(async (folder) => {
    const document = async (place: string, number: number): Promise<void> => {
      const scene = await sceneAt(place, `${folder}/${number}`, number);
      try {
        await follow(scene, `document-${number}`, seed * 1000 + number);
      } finally {
        scene.end();
        await scene.leave();
      }
    };
    for (let number = 0; killed < kills; number += AT_ONCE) {
      const places: string[] = [];
      for (let index = 0; index < AT_ONCE; index++) places.push(await engine.freshPlace());
      await Promise.all(places.map((place, index) => document(place, number + index)));
      for (const place of places) await engine.discard(place);
    }
  });

  /** Every third one has nothing to fear of its disk or server. */
  async function sceneAt(place: string, folder: string, number: number): Promise<Scene> {
    const quiet = quietScene(engine, place);
    if (number % AT_ONCE === 0) return quiet;
    return engine.isFile ? (smallDiskScene(folder, report) ?? quiet) : cutScene(engine, place);
  }

  async function follow(scene: Scene, name: string, documentSeed: number): Promise<void> {
    const lifeRandom = new Random(documentSeed);
    let told = NOTHING;
    let hasRubbish = false;
    for (let number = 0; number <= LIVES; number++) {
      const where = `seed ${seed}, ${name}, life ${number}`;
      const isLast = number === LIVES || killed >= kills;
      const life = lifeOf(scene, name, lifeRandom, hasRubbish);
      const program = new Program('editing', [JSON.stringify(life)]);
      try {
        const restored = await within(
          PATIENCE_MS,
          `restoring in ${where}`,
          program.line((line) => line.startsWith('restored')),
        );
        const found = await judge(scene, name, told, restored.slice('restored '.length), where);
        if (found === undefined) return;
        hasRubbish ||= !isLast && lifeRandom.chance(0.05) && life.how !== 'served';
        if (hasRubbish && !isLast) order(program, 'rubbish', 'updates stored that can not be merged');
        told = await live(program, scene, life, isLast, lifeRandom, where);
      } finally {
        await program.end();
      }
      check(program, scene, hasRubbish, where);
      if (isLast) await judge(scene, name, told, undefined, `${where}, at its end`);
      if (isLast) return;
    }
  }

  function lifeOf({ place }: Scene, name: string, lifeRandom: Random, hasRubbish: boolean): Life {
    return {
      place,
      name,
      how: lifeRandom.pick(hasRubbish ? ['bound', 'stored'] : ['bound', 'bound', 'stored', 'served']),
      seed: lifeRandom.below(2 ** 31),
      failing: lifeRandom.chance(0.5) ? 0.2 : 0,
      options: { busyTimeoutMs: 20_000, ...(engine.isFile ? {} : { leaseMs: 1000 }) },
    };
  }

  function order(program: Program, what: string, figure: string): void {
    program.tell(what);
    report.count(figure);
  }

  /** Lets it work, and ends it. */
  async function live(
    program: Program,
    scene: Scene,
    life: Life,
    isLast: boolean,
    lifeRandom: Random,
    where: string,
  ): Promise<Told> {
    program.tell('go');
    if (life.how === 'served' && lifeRandom.chance(0.5)) await sendRubbish(program, life.name);
    let isTroubled = false;
    if (scene.trouble !== undefined && lifeRandom.chance(0.5)) {
      isTroubled = true;
      await pause(lifeRandom.below(200));
      scene.begin();
      report.count(scene.trouble);
      await pause(lifeRandom.below(600));
      if (isLast || lifeRandom.chance(0.5)) scene.end();
    }
    const ending = isLast ? 'end' : isTroubled ? 'kill' : lifeRandom.pick(endings);
    let killedAt: number | undefined;
    if (ending === 'kill') {
      await momentFor(program, lifeRandom, where);
      killedAt = performance.timeOrigin + performance.now();
      program.signal('SIGKILL');
      killed++;
      report.count('processes killed');
    } else {
      await pause(lifeRandom.next() ** 2 * 300);
      program.tell(ending);
      report.count(
        { end: 'documents that came to their end', exit: 'ended by exit', error: 'ended by an error' }[ending],
      );
    }
    const { code, signal } = await within(PATIENCE_MS, `the end of ${where}`, program.ended);
    const wanted = { kill: 'SIGKILL', exit: 0, end: 0, error: 1 }[ending];
    if ((signal ?? code) !== wanted)
      report.violation(`${where}, by '${ending}': ended with ${signal ?? code}: ${program.errors}`);
    scene.end();
    return {
      acknowledged: Math.max(0, ...numbersOf(program, 'acknowledged')),
      called: program.lines.flatMap((line) => {
        const [word, changes, at] = line.split(' ');
        return word === 'called' ? { changes: Number(changes), at: Number(at) } : [];
      }),
      killedAt: isTroubled ? undefined : killedAt,
      isWhole: ending !== 'kill',
      hasGaps: program.lines.some((line) => /^failed (database-full|connection-failed)/.test(line)),
    };
  }

  /** While something is merged, or at any time; mostly after something was acknowledged. */
  async function momentFor(program: Program, lifeRandom: Random, where: string): Promise<void> {
    const said = (word: string) => program.nextLine((line) => line.startsWith(word));
    const some = async (what: Promise<unknown>) => Promise.race([what.catch(() => undefined), pause(2000)]); // where a disk is full, nothing may come
    if (lifeRandom.chance(0.8)) await some(said('acknowledged'));
    await pause(lifeRandom.next() ** 2 * 300);
    if (!lifeRandom.chance(0.5)) return;
    await some(said('merging'));
    report.count('killed while something was merged or right after that');
    await pause(lifeRandom.below(15));
    if (program.process.exitCode !== null) report.violation(`${where}: ended by itself: ${program.errors}`);
  }

  async function sendRubbish(program: Program, name: string): Promise<void> {
    const line = await program.line((said) => said.startsWith('listening'));
    const named = [name.length, ...new TextEncoder().encode(name)];
    for (const bytes of [
      [9],
      [...named, 0, 2, 4, 255, 255, 255, 255],
      [...named, 0, 2, 3, 1, 255, 7],
      [...named, 4, 1, 1, 0],
    ]) {
      const socket = new WebSocket(line.slice('listening '.length));
      await Promise.race([once(socket, 'open'), once(socket, 'close')]);
      socket.send(new Uint8Array([...named, 2, 0, 1, 120])); // who it is
      socket.send(new Uint8Array(bytes));
      setTimeout(() => socket.close(), 50);
      report.count('clients that sent rubbish');
    }
  }

  /** What the store leads to, and what the next program has restored of it. Returns the number of changes, if it is a state to go on from. */
  async function judge(
    scene: Scene,
    name: string,
    told: Told,
    restored: string | undefined,
    where: string,
  ): Promise<number | undefined> {
    const { acknowledged, called, killedAt, isWhole, hasGaps } = told;
    const document = documentOf(name, await scene.rows());
    if (engine.isFile) {
      const sound = integrityOf(scene.place);
      if (sound !== 'ok') report.violation(`${where}: integrity_check: ${sound}`);
    }
    const found = changesIn(document);
    const least = found ?? leastIn(document);
    if (least < acknowledged)
      report.violation(`${where}: ${acknowledged} changes were acknowledged, ${least} are there`);
    if (found === undefined) {
      if (hasGaps && !isWhole) report.count('killed with updates stored behind rejected ones');
      else report.violation(`${where}: what is stored is none of the document's states`);
      return undefined;
    }
    if (restored !== undefined && restored !== String(found))
      report.violation(`${where}: ${found} changes are stored, and '${restored}' were restored`);
    report.count('acknowledged states found again', acknowledged > 0 ? 1 : 0);
    const last = called.at(-1)?.changes ?? 0;
    report.count('changes found again', Math.max(0, found - (called[0]?.changes ?? found)));
    if (isWhole && found < last) report.violation(`${where}: ${last} changes were called, ${found} are there`);
    if (killedAt === undefined) return found;
    report.count('changes lost that were called right before SIGKILL', Math.max(0, last - found));
    const oldest = called.find(({ changes }) => changes > found);
    if (oldest !== undefined)
      report.most('most ms from the call of a change to the SIGKILL that took it', Math.ceil(killedAt - oldest.at));
    return found;
  }

  function check(program: Program, scene: Scene, hasRubbish: boolean, where: string): void {
    const expected = ['worker-lost', 'database-corrupt'];
    if (scene.trouble !== undefined) expected.push('database-full', 'connection-failed');
    for (const line of program.lines) {
      const [word, code = ''] = line.split(' ');
      if (word === 'wrong') report.violation(`${where}: ${line}`);
      if (word === 'merging') report.count(hasRubbish ? 'documents merged for nothing' : 'documents merged');
      if (line === 'merging thread ended') report.count('merging threads ended');
      if (word !== 'failed') continue;
      report.count(`told of ${code}`);
      if (!expected.includes(code)) report.violation(`${where}: ${line}`);
    }
  }
}

function numbersOf(program: Program, word: string): number[] {
  return program.lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.split(' ')[1]));
}

export const run = onFiles(runOn);
