/**
 * A program in ordinary trouble that keeps documents by one of the adapters: changes them, reads them, deletes them, lets go of them and takes
 * them again. Each change is a number. It tells of each what becomes of it, and compares what it reads with that.
 */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { isOver, life, live, random, say } from './in-trouble.ts';
import { automergeIn, mergedIn, StoredHome } from './keeping/stored.ts';
import { type Home, isAnyGivenUp, isTold, type Subject } from './keeping/subject.ts';
import { YjsHome } from './keeping/yjs.ts';

type MakeHome = (path: string) => Home<Subject>;

/** Some take long to be loaded. */
const kinds: Record<string, () => MakeHome | Promise<MakeHome>> = {
  yjs: () => (path) => new YjsHome(path),
  hocuspocus: () => servedBy(false),
  clients: () => servedBy(true),
  merged: () => (path) => new StoredHome(path, mergedIn),
  'automerge-repo': () => (path) => new StoredHome(path, automergeIn),
  async repo() {
    const { RepoHome } = await import('./keeping/repo.ts');
    return (path) => new RepoHome(path);
  },
};

async function servedBy(hasClients: boolean): Promise<MakeHome> {
  const { HocuspocusHome } = await import('./keeping/hocuspocus.ts');
  return (path) => new HocuspocusHome(path, hasClients);
}

const makeHome = await kinds[life.style]?.();
if (makeHome === undefined) throw new Error(`nothing keeps documents as ${life.style}`);
/** What keeps the documents of a database, once or twice. */
const homes = new Map<string, Home<Subject>>();
const homesOfEach = random.chance(0.2) ? 2 : 1;
for (const { path, id, providers } of life.stores) {
  for (let i = 0; i < providers; i++) {
    const key = `${i % homesOfEach} ${path}`;
    const home = homes.get(key) ?? makeHome(path);
    homes.set(key, home);
    home.add(id, providers === 1 && life.processes === 1);
  }
}
const subjects = [...homes.values()].flatMap((home) => home.subjects);

/** Some have a rest before their end: nothing that is called then tells of what was rejected before. */
const restsAt = random.chance(0.5) ? Number.POSITIVE_INFINITY : performance.now() + life.lasts - random.below(400);

async function work(subject: Subject): Promise<void> {
  while (!isOver()) {
    if (subject.isFull || performance.now() > restsAt) {
      await pause(20);
      continue;
    }
    if (subject.isOpen) for (let i = random.below(random.chance(0.1) ? 200 : 12); i >= 0; i--) void subject.change();
    // what was rejected is made up for soon, and is met by those alone that are in time
    if (isTold(subject.id) && random.chance(0.4)) {
      await (random.chance(0.5) ? subject.clear() : subject.reopen());
      if (random.chance(0.2)) await pause(random.below(2000)); // what comes by itself after that has its time
    } else if (random.chance(0.5)) await random.pick(subject.others)();
    await (random.chance(0.4) ? nextTurn() : pause(random.below(12)));
  }
}

/** A repo catches nothing of what its storage rejects with. */
function isOfRepo(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  if (life.style !== 'repo' || typeof code !== 'string') return false;
  if (code !== 'closed') for (const { id } of life.stores) say(`reported ${id} ${code}`);
  return true;
}

process.on('unhandledRejection', (error) => {
  if (!isOfRepo(error)) say(`wrong: unhandled ${(error as Error)?.stack ?? error}`);
});
const close = () => Promise.all([...homes.values()].map((home) => home.close()));
live({
  work: () => Promise.all(subjects.map(work)),
  close,
  lastCalls() {
    if (performance.now() > restsAt) return;
    for (const subject of subjects) if (subject.isOpen) void subject.change();
  },
  letEnd() {
    if (life.style === 'hocuspocus' || life.style === 'clients') void close(); // it listens
  },
  givesUp: isAnyGivenUp,
});
