/**
 * Documents of Yjs that change as those of a server do: another process tells when (`paced-source.ts`), and each change is the update
 * of one key. What does storing them cost the main thread beyond the same documents that nobody stores? In blocks that are stored
 * and blocks that are not, in turn; what comes after a block's last update belongs to it, and so do the compactions that its
 * updates bring about: documents begin with different numbers of updates, so that these are spread.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type * as Yjs from 'yjs';
import { documentDrivers } from '../drivers/documents.ts';
import { importPeer } from '../drivers/driver.ts';
import { median } from '../measure.ts';
import { between, timesNow } from './paced-program.ts';
import { PacedSource } from './paced-source.ts';
import { typing } from './typing.ts';
import type { NamedWork } from './work.ts';

const TICK_BYTES = 8;
/** Longer than a compaction of such a document takes. */
const REST_MS = 300;
/** As many as bring about a compaction: over these the documents are spread. */
const SPREAD = 500;

class Typed {
  readonly doc: Yjs.Doc;
  readonly #Y: typeof Yjs;
  readonly #updates: readonly Uint8Array[];
  #next = 0;

  constructor(Y: typeof Yjs, updates: readonly Uint8Array[]) {
    this.#Y = Y;
    this.doc = new Y.Doc();
    this.#updates = updates;
  }

  type(): void {
    const update = this.#updates[this.#next++];
    if (update === undefined) throw new Error('more was typed than was prepared');
    this.#Y.applyUpdate(this.doc, update);
  }
}

export const documentUpdates: NamedWork = async ({ who, folder, sizes }) => {
  const { documents = 1, perSecond = 200, blocks = 1, blockMs = 1000 } = sizes;
  const driver = documentDrivers[who];
  if (driver === undefined) throw new Error(`there is no driver ${who}`);
  const Y = await importPeer<typeof Yjs>('yjs');
  const perDocument = Math.ceil(((blocks + 1) * perSecond * blockMs) / 1000 / documents);
  const updates = typing(Y, SPREAD + perDocument + 1);
  const database = await driver.open(folder, Y);
  const source = new PacedSource(TICK_BYTES);

  const make = () => Array.from({ length: documents }, () => new Typed(Y, updates));
  const [stored, unstored] = [make(), make()];
  await Promise.all(stored.map(({ doc }, i) => database.bind(`document ${i}`, doc)));
  for (const group of [stored, unstored]) {
    for (const [i, one] of group.entries()) {
      for (let begun = 0; begun < (i * SPREAD) / documents; begun++) one.type();
      await pause(0);
    }
  }

  const block = async (group: readonly Typed[]) => {
    const before = timesNow();
    let count = 0;
    await source.receive(perSecond, Math.max(Math.round((perSecond * blockMs) / 1000), 1), () => {
      group[count++ % documents]?.type();
    });
    await database.settle();
    await pause(REST_MS);
    const { main, others, wall } = between(before, timesNow());
    return { mainUs: main / count, othersPercent: (100 * others) / wall };
  };

  await block(stored);
  await block(unstored);
  const main: number[] = [];
  const others: number[] = [];
  for (let pair = 0; pair < blocks; pair++) {
    // the first of one pair is the second of the next, so that a steady drift cancels
    const isStoredFirst = pair % 2 === 0;
    const first = await block(isStoredFirst ? stored : unstored);
    const second = await block(isStoredFirst ? unstored : stored);
    const [storing, passing] = isStoredFirst ? [first, second] : [second, first];
    main.push(storing.mainUs - passing.mainUs);
    others.push(storing.othersPercent - passing.othersPercent);
  }
  for (const [i, { doc }] of stored.entries()) {
    const found = (await database.stored(`document ${i}`)).getText('text').toString();
    if (found !== doc.getText('text').toString()) throw new Error(`document ${i} is not stored as it is in memory`);
  }
  await source.close();
  await database.close();
  return { mainUs: median(main), workerPercent: median(others) };
};
