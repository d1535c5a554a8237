/**
 * `npm run live -- --soak`: 200 simulated editors at speed, for some minutes, on the server of this
 * package. They come and go in rounds, each with documents of its own;
 * after each, when nobody is left, the server's memory is read.
 */
import { existsSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Crowd } from '../editors/crowd.ts';
import { temporaryFolder } from '../front/live.ts';
import { SupervisedServer } from '../front/supervised-server.ts';
import { limits, type Memory, type Sample } from '../protocol/control.ts';
import { databaseIn } from '../server/rooms.ts';

const EDITORS = 200;
/** Five times what the page starts with. */
const PACE = limits.pace;
const TICK_MS = 20;
const PICTURES_MB = 0.25;
const MB = 1024 * 1024;

/**
 * Since the second round: in the first two, code is compiled, heaps are enlarged, and the provider
 * comes to keep 32 MiB of blocks for large values.
 */
const MOST_GROWN_MB = 16;
const MOST_RSS_GROWN_MB = 96;
/** Of what is in the file; SQLite uses freed pages again, but does not give them back. */
const MOST_FILE = 3;

/** @returns the exit code */
export async function soak(minutes: number): Promise<number> {
  const folder = temporaryFolder();
  const server = new SupervisedServer({
    side: 'worker',
    folder,
    host: '127.0.0.1',
    port: 0,
    pagePort: 0,
    execArgv: ['--expose-gc'],
  });
  const unexpected: string[] = [];
  server.on('happened', (text) => unexpected.push(text));
  server.on('down', (how) => unexpected.push(`the server has ended: ${how}`));
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('up', () => resolve());
      server.once('failed', (text) => reject(new Error(text)));
    });
    server.order({ kind: 'megabytes', megabytes: PICTURES_MB });
    const rounds = Math.max(3, Math.min(20, Math.round(minutes)));
    console.log(`${EDITORS} editors, ${PACE} key presses a second each, ${rounds} rounds in ${minutes} minutes`);
    const memories: Memory[] = [];
    for (let round = 1; round <= rounds; round++) {
      const keys = await playRound(server, `round-${round}`, (minutes * 60_000) / rounds);
      const memory = await memoryOf(server);
      memories.push(memory);
      console.log(`round ${round}: ${keys.toLocaleString('en')} key presses; nobody left; ${describe(memory)}`);
    }
    if (!(await server.stop())) unexpected.push('the server had to be killed');
    return judge(memories, databaseIn(folder), unexpected);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Editors come, type, and go; ends once the server has neither a socket nor a document open. */
async function playRound(server: SupervisedServer, room: string, ms: number): Promise<number> {
  const crowd = new Crowd();
  const order = { kind: 'crowd' as const, pace: PACE, room };
  const addresses = { worker: `ws://127.0.0.1:${server.port}` };
  crowd.follow({ ...order, editors: EDITORS, addresses });
  let last = performance.now();
  const ticking = setInterval(() => {
    const now = performance.now();
    crowd.tick(now - last);
    last = now;
  }, TICK_MS);
  await new Promise((resolve) => setTimeout(resolve, ms));
  clearInterval(ticking);
  crowd.follow({ ...order, editors: 0, addresses });
  await new Promise<void>((resolve) => {
    const look = ({ sockets, rooms }: Sample) => {
      if (sockets > 0 || rooms > 0) return;
      server.off('sample', look);
      resolve();
    };
    server.on('sample', look);
  });
  return crowd.keys;
}

function memoryOf(server: SupervisedServer): Promise<Memory> {
  return new Promise((resolve) => {
    server.once('memory', resolve);
    server.order({ kind: 'measure-memory' });
  });
}

const used = ({ heapUsed, external }: Memory) => (heapUsed + external) / MB;

function describe(memory: Memory): string {
  return `${used(memory).toFixed(1)} MB used, ${(memory.rss / MB).toFixed(0)} MB resident, ${(memory.heapTotal / MB).toFixed(0)} MB of it V8's heap`;
}

function judge(memories: readonly Memory[], dbPath: string, unexpected: readonly string[]): number {
  const [, first, ...later] = memories;
  const last = later.at(-1);
  if (first === undefined || last === undefined) throw new Error('a soak has at least three rounds');
  const grown = used(last) - used(first);
  const rssGrown = (last.rss - first.rss) / MB;
  const { file, content } = sizesOf(dbPath);
  const logs = ['-wal', '-shm'].filter((suffix) => existsSync(dbPath + suffix));
  const verdicts: [right: boolean, text: string][] = [
    [grown <= MOST_GROWN_MB, `used memory has grown by ${grown.toFixed(1)} MB since the second round`],
    [rssGrown <= MOST_RSS_GROWN_MB, `resident memory has grown by ${rssGrown.toFixed(1)} MB since then`],
    [
      file <= content * MOST_FILE,
      `the file has ${(file / MB).toFixed(1)} MB for ${(content / MB).toFixed(1)} MB in it`,
    ],
    [logs.length === 0, logs.length === 0 ? 'no log is left beside it' : `left beside it: ${logs.join(', ')}`],
    [unexpected.length === 0, unexpected[0] ?? 'no call was rejected, and nobody was disconnected'],
  ];
  for (const [right, text] of verdicts) console.log(`${right ? 'ok' : 'NOT OK'}: ${text}`);
  return verdicts.every(([right]) => right) ? 0 : 1;
}

function sizesOf(dbPath: string) {
  const database = new DatabaseSync(dbPath);
  try {
    const sum = (table: string) =>
      Number(database.prepare(`SELECT total(length(data)) AS bytes FROM ${table}`).get()?.bytes);
    return { file: statSync(dbPath).size, content: sum('snapshots') + sum('patches') };
  } finally {
    database.close();
  }
}
