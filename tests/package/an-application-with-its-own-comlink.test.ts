/** An application that uses Comlink itself neither notices ours, nor ours it. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { rowsOf } from '../support/files.ts';
import { installed, place, resultOf, runNode } from './a-fresh-machine.ts';
import { application, wholeJourney } from './an-application.ts';

const comlink = join(import.meta.dirname, '../../node_modules/comlink');

/** Handlers as an application may register them, greedier than any sane one: they spoil whatever passes them. */
const greedyHandlers = `
import * as Comlink from 'comlink';
const seen = [];
for (const name of ['proxy', 'throw', 'greedy']) {
  Comlink.transferHandlers.set(name, {
    canHandle: (value) => value instanceof Uint8Array || Object(value) === value,
    serialize: (value) => { seen.push(value); return ['spoilt', []]; },
    deserialize: () => 'spoilt',
  });
}
process.on('exit', () => { if (seen.length > 0) console.error('the application\\'s handlers met our values'); });
`;

it('handlers registered with the application’s Comlink meet nothing of ours', async () => {
  const folder = await installed();
  cpSync(comlink, join(folder, 'node_modules/comlink'), { recursive: true });
  const program = place(folder, 'main.mjs', greedyHandlers + application('esm'));
  const dbPath = join(folder, 'notes.db');
  expect(resultOf(await runNode([program, dbPath], { cwd: folder }), program)).toEqual(wholeJourney);
});

it('the application’s own worker, handlers and transfers work as if ours were not there', async () => {
  const folder = await installed();
  cpSync(comlink, join(folder, 'node_modules/comlink'), { recursive: true });
  place(
    folder,
    'handlers.mjs',
    `import * as Comlink from 'comlink';
export class Point { constructor(x, y) { this.x = x; this.y = y; } }
Comlink.transferHandlers.set('point', {
  canHandle: (value) => value instanceof Point,
  serialize: ({ x, y }) => [[x, y], []],
  deserialize: ([x, y]) => new Point(x, y),
});
`,
  );
  place(
    folder,
    'worker.mjs',
    `import { parentPort } from 'node:worker_threads';
import * as Comlink from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { Point } from './handlers.mjs';
Comlink.expose({
  mirror: (point) => new Point(point.y, point.x),
  isPoint: (value) => value instanceof Point,
  size: (bytes) => bytes.byteLength,
  fail: () => { throw new TypeError('as the application wants'); },
  // a worker of the application may persist as well
  async persist(dbPath) {
    const provider = new SDS_DesktopPersistenceProvider(dbPath, 'from a worker');
    await provider.appendPatch(new Uint8Array([1]), 1);
    await provider.close();
  },
}, nodeEndpoint(parentPort));
`,
  );
  const program = place(
    folder,
    'main.mjs',
    `import { Worker } from 'node:worker_threads';
import * as Comlink from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import './handlers.mjs';
import { Point } from './handlers.mjs';
const handlersBefore = [...Comlink.transferHandlers.keys()];
const { SDS_DesktopPersistenceProvider, transfer } = await import('sds-persistence-worker');
const dbPath = process.argv.at(-1);
const worker = new Worker(new URL('./worker.mjs', import.meta.url));
const theirs = Comlink.wrap(nodeEndpoint(worker));
const ours = new SDS_DesktopPersistenceProvider(dbPath, 'notes');
await ours.appendPatch(new Uint8Array([1]), 1);
const mirrored = await theirs.mirror(new Point(1, 2));
const moved = new Uint8Array(10_000);
const markedByTheirs = Comlink.transfer(new Uint8Array(10_000).fill(1), []);
Comlink.transfer(markedByTheirs, [markedByTheirs.buffer]);
await ours.saveValue('marked by theirs', markedByTheirs);
const markedByOurs = new Uint8Array(10_000);
transfer(markedByOurs, [markedByOurs.buffer]);
const result = {
  point: mirrored instanceof Point && mirrored.x === 2 && mirrored.y === 1,
  seenAsPoint: await theirs.isPoint(new Point(3, 4)),
  size: await theirs.size(Comlink.transfer(moved, [moved.buffer])),
  movedLeaves: moved.byteLength,
  sizeOfOurs: await theirs.size(markedByOurs),
  markedByOursStays: markedByOurs.byteLength,
  markedByTheirsStays: markedByTheirs.byteLength,
  stored: (await ours.loadValue('marked by theirs')).byteLength,
  failure: await theirs.fail().catch((error) => error.name + ': ' + error.message),
  handlers: String([...Comlink.transferHandlers.keys()]) === String(handlersBefore),
};
await theirs.persist(dbPath + '-from-a-worker');
await ours.close();
await worker.terminate();
console.log(JSON.stringify(result));
`,
  );
  const dbPath = join(folder, 'notes.db');
  expect(resultOf(await runNode([program, dbPath], { cwd: folder }), program)).toEqual({
    point: true,
    seenAsPoint: true,
    size: 10_000,
    movedLeaves: 0,
    sizeOfOurs: 10_000,
    // a mark of the one library means nothing to the other: both copy
    markedByOursStays: 10_000,
    markedByTheirsStays: 10_000,
    stored: 10_000,
    failure: 'TypeError: as the application wants',
    handlers: true,
  });
  expect(rowsOf(`${dbPath}-from-a-worker`).patches).toHaveLength(1);
});
