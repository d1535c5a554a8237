/** Which patches `OnClockCollision: 'keep'` stores, and under which numbers, on any implementation that has it. */

import type { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { beforeEach, describe, expect, it } from 'vitest';
import { randomOf } from '../support/random.ts';
import type { Rows } from '../support/rows.ts';

type OpenKeeping = (place: string) => SDS_DesktopPersistenceProvider;

/** Lengths that are stored in different ways: many rows a statement, one row, and by a call of its own. */
const lengths = { short: 100, long: 40_000, large: 200_000 };

export function describeKeptPatches(
  name: string,
  open: OpenKeeping,
  freshPlace: () => string | Promise<string>,
  rowsOf: (place: string) => Promise<Rows>,
): void {
  describe.each(Object.entries(lengths))(`${name} keeps both where numbers meet: %s patches`, (_, length) => {
    const [a, b, x] = [1, 2, 3].map((fill) => new Uint8Array(length).fill(fill)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    let place: string;
    beforeEach(async () => {
      place = await freshPlace();
    });

    /** Appends in order, all at once or one after the other; returns what is stored, as `number: first byte`. */
    async function stored(calls: [Uint8Array, number][], { awaited = false, pruned = 0 } = {}): Promise<string[]> {
      const provider = open(place);
      const before = calls.slice(0, -1);
      for (const [bytes, clock] of before) {
        const done = provider.appendPatch(bytes, clock);
        if (awaited) await done;
      }
      if (pruned > 0) await provider.prunePatches(pruned);
      for (const [bytes, clock] of calls.slice(-1)) await provider.appendPatch(bytes, clock);
      expect(provider.ClockCollisions).toBe(0);
      await provider.close();
      const { patches } = await rowsOf(place);
      return patches
        .map(({ clock, data }) => [Number(clock), Buffer.from(String(data), 'hex')[0]] as const)
        .sort(([one], [other]) => one - other)
        .map(([clock, first]) => `${clock}: ${first}`);
    }

    it.each([false, true])(
      'other bytes under a taken number go under the next free one (awaited: %s)',
      async (awaited) => {
        expect(
          await stored(
            [
              [a, 1],
              [b, 2],
              [x, 1],
            ],
            { awaited },
          ),
        ).toEqual(['1: 1', '2: 2', '3: 3']);
      },
    );

    it.each([false, true])(
      'a patch that is repeated under its number is stored once (awaited: %s)',
      async (awaited) => {
        expect(
          await stored(
            [
              [a, 1],
              [a, 1],
              [b, 2],
              [a, 1],
            ],
            { awaited },
          ),
        ).toEqual(['1: 1', '2: 2']);
      },
    );

    it.each([false, true])(
      'one that was kept under a higher number, too, however often (awaited: %s)',
      async (awaited) => {
        const calls: [Uint8Array, number][] = [
          [a, 1],
          [b, 2],
          [x, 1],
          [x, 1],
          [a, 1],
          [x, 1],
        ];
        expect(await stored(calls, { awaited })).toEqual(['1: 1', '2: 2', '3: 3']);
      },
    );

    it.each([false, true])(
      'the same bytes under another number that is free are another patch (awaited: %s)',
      async (awaited) => {
        const calls: [Uint8Array, number][] = [
          [a, 1],
          [a, 2],
          [a, 9],
          [a, 3],
        ];
        expect(await stored(calls, { awaited })).toEqual(['1: 1', '2: 1', '3: 1', '9: 1']);
      },
    );

    it.each([false, true])(
      'the same bytes behind the first free number do not count (awaited: %s)',
      async (awaited) => {
        expect(
          await stored(
            [
              [a, 1],
              [x, 3],
              [x, 1],
            ],
            { awaited },
          ),
        ).toEqual(['1: 1', '2: 3', '3: 3']);
      },
    );

    it.each([false, true])(
      'the same bytes under a number that is passed over count: it can not be told from one that was kept there (awaited: %s)',
      async (awaited) => {
        expect(
          await stored(
            [
              [a, 1],
              [x, 2],
              [b, 3],
              [x, 1],
            ],
            { awaited },
          ),
        ).toEqual(['1: 1', '2: 3', '3: 2']);
      },
    );

    it('under a number that was pruned since it is stored anew: that number is free', async () => {
      const calls: [Uint8Array, number][] = [
        [a, 1],
        [x, 1],
        [x, 1],
      ];
      expect(await stored(calls, { pruned: 2 })).toEqual(['1: 3', '2: 3']);
    });
  });

  it.each(['compacted', 'removed'])(
    `${name} gives numbers that are free since a store was %s in the same transaction to the next patches`,
    async (how) => {
      const [a, b, x] = [1, 2, 3].map((fill) => new Uint8Array(10).fill(fill)) as [Uint8Array, Uint8Array, Uint8Array];
      const place = await freshPlace();
      const before = open(place);
      await Promise.all([before.appendPatch(a, 1), before.appendPatch(b, 2)]);
      const found = await before.loadStore();
      await before.close();
      // called before the database is open: they wait for that, and are carried out together
      await using provider = open(place);
      const kept = provider.appendPatch(x, 1);
      const done = how === 'removed' ? provider.removeStore() : provider.compactStore(a, found);
      await Promise.all([kept, done, provider.appendPatch(b, 1)]);
      const { patches } = await rowsOf(place);
      const numbers = patches.map(({ clock }) => Number(clock)).sort((one, other) => one - other);
      expect(numbers).toEqual(how === 'removed' ? [1] : [1, 3]);
    },
  );

  it.each([1, 2, 3, 4])(
    `${name} keeps the same as one number after the other looked at, random calls %i`,
    async (seed) => {
      const random = randomOf(seed);
      const place = await freshPlace();
      await using provider = open(place);
      await provider.ready();
      const expected = new Map<number, number>();
      const done: Promise<unknown>[] = [];
      for (let call = 0; call < 600; call++) {
        const clock = random(2) === 0 ? random(8) : random(300);
        if (random(100) === 0) {
          for (const number of [...expected.keys()]) if (number < clock) expected.delete(number);
          done.push(provider.prunePatches(clock));
          continue;
        }
        const bytes = random(200);
        let free = clock;
        while (expected.has(free) && expected.get(free) !== bytes) free++;
        expected.set(free, bytes);
        done.push(provider.appendPatch(new Uint8Array(1 + (bytes % 2)).fill(bytes), clock));
        if (random(150) === 0) await Promise.all(done);
      }
      await Promise.all(done);
      const { patches } = await rowsOf(place);
      const found = patches.map(({ clock, data }) => [Number(clock), Buffer.from(String(data), 'hex')[0]] as const);
      expect(new Map(found)).toEqual(expected);
    },
  );
}
