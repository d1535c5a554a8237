/** The calls that a process makes on a store, which follow from a seed, so that another process can tell how far it came. */
import type { Call } from './model.ts';
import { Model } from './model.ts';
import { Random } from './random.ts';

/** Patches, snapshots, values and their counts, all of this store's own; no call depends on an answer. */
export function sessionOf(seed: number, store: string, length: number): Call[] {
  const random = new Random(seed);
  return Array.from({ length }, (_, i): Call => {
    const clock = i + 1;
    const bytes = random.longBytes(random.chance(0.02) ? 130_000 + random.below(300_000) : random.below(200));
    const hash = `${store} ${random.below(5)}`;
    const kind = random.below(100);
    if (kind < 70) return { kind: 'appendPatch', clock, bytes };
    // with no number: else a prune that is called while it is on its way leaves patches alone
    if (kind < 74) return { kind: 'saveSnapshot', clock: 0, bytes };
    if (kind < 77) return { kind: 'prunePatches', clock: clock - random.below(60) };
    if (kind < 90) return { kind: 'saveValue', hash, bytes };
    return { kind: 'releaseValue', hash };
  });
}

/**
 * How many of the calls were carried out, given what they left: calls take effect in their order, so it is
 * a beginning of them. `undefined` if no beginning leaves these rows.
 *
 * @param least - at least so many, since they were acknowledged
 */
export function carriedOut(
  rows: readonly string[],
  store: string,
  calls: readonly Call[],
  least: number,
): number | undefined {
  const model = new Model();
  const wanted = rows.join('\n');
  for (const call of calls.slice(0, least)) model.apply(store, call);
  for (let done = least; ; done++) {
    if (countOf(model) === rows.length && model.rows().join('\n') === wanted) return done;
    const next = calls[done];
    if (next === undefined) return undefined;
    model.apply(store, next);
  }
}

function countOf({ stores, values }: Model): number {
  let count = values.size;
  for (const { snapshot, patches } of stores.values()) count += patches.size + (snapshot === undefined ? 0 : 1);
  return count;
}

/** Of all rows, those of one store and its values. */
export function rowsOfStore(rows: readonly string[], store: string): string[] {
  return rows.filter((row) => row.split(' ', 2)[1] === store);
}
