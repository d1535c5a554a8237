/** What a program told of its calls, compared with what lies in its files. */
import type { Rows } from '../tests/support/rows.ts';
import { numbered } from '../tests/support/sync-engine.ts';

interface Call {
  /** `sent`: on its way to whoever stores it. */
  kind: 'sent' | 'patch' | 'over' | 'snapshot' | 'prune' | 'value' | 'release';
  number: number;
  provider: string;
  /** Its promise has resolved, or what waits for it has. */
  isKept: boolean;
  failed: string | undefined;
}

/** What is known of one store. */
export interface Told {
  calls: Call[];
  /** Whether a failure of a call whose promise had resolved was told. */
  isReported: boolean;
  /** Of all failures that no promise tells. */
  codes: Set<string>;
}

export interface Promised {
  /** What was called and never rejected. */
  all: boolean;
  /** Also snapshots, prunes and values whose promise has resolved. */
  everyKept: boolean;
  /** With what calls may be rejected. */
  codes: readonly string[];
  /** Whether calls are there up to some point. */
  inOrder: boolean;
  /** Whether a call that was rejected with this may be stored. */
  mayBeStored(failed: string): boolean;
}

const isPatch = ({ kind }: Call): boolean => kind === 'patch' || kind === 'over';

/**
 * Of all stores, by their ids.
 *
 * @param isReported - whether a failure was told on stderr of the database of that store
 */
export function toldBy(lines: readonly string[], isReported: (id: string) => boolean): Map<string, Told> {
  const stores = new Map<string, Told>();
  const calls = new Map<string, Call>();
  const asked = new Map<string, Call[]>();
  const toldOf = (id: string): Told => {
    const told = stores.get(id) ?? { calls: [], isReported: isReported(id), codes: new Set() };
    stores.set(id, told);
    return told;
  };
  for (const line of lines) {
    const [word, ...rest] = line.split(' ');
    if (word === 'told') toldOf(rest[0] ?? '').codes.add(rest[1] ?? '');
    if (word === 'reported') toldOf(rest[0] ?? '').isReported = true;
    if (word === 'sent') {
      const [, id = '', number, provider = ''] = rest;
      toldOf(id).calls.push({ kind: 'sent', number: Number(number), provider, isKept: false, failed: undefined });
    }
    if (word === 'called') {
      const [kind, id = '', number, provider = ''] = rest;
      const call = { kind: kind as Call['kind'], number: Number(number), provider, isKept: false, failed: undefined };
      toldOf(id).calls.push(call);
      calls.set(rest.slice(0, 3).join(' '), call);
    }
    const call = calls.get(rest.slice(0, 3).join(' '));
    if (word === 'kept' && call !== undefined) call.isKept = true;
    if (word === 'failed' && call !== undefined) call.failed = rest[3];
    if (word !== 'asked' && word !== 'answered') continue;
    const [id = '', provider = '', number = '', answer] = rest;
    const told = stores.get(id);
    if (told === undefined) continue;
    if (word === 'asked')
      asked.set(
        number,
        told.calls.filter((one) => one.provider === provider),
      );
    else if (answer === 'ok') for (const one of asked.get(number) ?? []) one.isKept = true;
    else told.isReported = true;
  }
  return stores;
}

/** What of it is not as it was promised. */
export function brokenPromises(rows: Rows, id: string, told: Told, promised: Promised): string[] {
  const broken: string[] = [];
  const { patches, values, counted, snapshot } = rowsOfStore(rows, id, (what) => broken.push(`${id}: ${what}`));
  const patchCalls = told.calls.filter(isPatch);
  const isThere = ({ number }: Call) => patches.has(number) || number <= snapshot;
  const tell = (what: string, found: Call[]) => {
    if (found.length > 0) broken.push(`${id}: ${found.length} ${what}, as ${JSON.stringify(found[0])}`);
  };
  const isLost = (call: Call) => call.failed === undefined && !isThere(call);
  tell(
    'acknowledged patches are missing',
    patchCalls.filter((call) => call.isKept && isLost(call)),
  );
  if (promised.all && !told.isReported) tell('patches are missing', patchCalls.filter(isLost));
  tell(
    'rejected patches are there',
    patchCalls.filter(
      ({ number, failed }) => failed !== undefined && !promised.mayBeStored(failed) && patches.has(number),
    ),
  );
  if (promised.inOrder) {
    // bytes that were handed over may be lost with a worker
    const gap = patchCalls.findIndex((call) => call.kind === 'patch' && isLost(call));
    const behind = gap < 0 ? [] : patchCalls.slice(gap).filter((call) => !isLost(call));
    tell(`patches are there behind ${JSON.stringify(patchCalls[gap])}`, behind);
  }
  // each is saved once
  if (counted.length > 0) broken.push(`${id}: a reference is not counted once of ${counted.join(' ')}`);
  if (told.isReported) return broken;
  const isPromised = (call: Call) => call.failed === undefined && (promised.all || (promised.everyKept && call.isKept));
  const latest = Math.max(
    0,
    ...told.calls.filter((call) => call.kind === 'snapshot' && isPromised(call)).map(({ number }) => number),
  );
  if (snapshot < latest) broken.push(`${id}: snapshot ${snapshot} is there, not ${latest}`);
  const released = new Map(told.calls.flatMap((call) => (call.kind === 'release' ? [[call.number, call]] : [])));
  const saved = told.calls.filter((call) => call.kind === 'value' && isPromised(call));
  tell(
    'values are missing',
    saved.filter(({ number }) => !released.has(number) && !values.has(number)),
  );
  tell(
    'released values are there',
    saved.filter(({ number }) => {
      const release = released.get(number);
      return release !== undefined && isPromised(release) && values.has(number);
    }),
  );
  return broken;
}

function rowsOfStore({ patches, snapshots, blobs }: Rows, id: string, tell: (what: string) => void) {
  const whole = (
    what: string,
    rows: readonly Record<string, unknown>[],
    numberOf: (row: Record<string, unknown>) => number,
  ) =>
    rows.map((row) => {
      const number = numberOf(row);
      const data = String(row.data);
      if (numbered(number, data.length / 2).toString('hex') !== data) tell(`${what} ${number} has other bytes`);
      return number;
    });
  const ofStore = (rows: readonly Record<string, unknown>[]) => rows.filter(({ store_id }) => store_id === id);
  const values = blobs.filter(({ hash }) => String(hash).startsWith(`${id}:`));
  return {
    patches: new Set(whole('patch', ofStore(patches), ({ clock }) => Number(clock))),
    snapshot: whole('snapshot', ofStore(snapshots), ({ clock }) => Number(clock))[0] ?? 0,
    counted: values.filter(({ ref_count }) => Number(ref_count) !== 1).map(({ hash }) => String(hash)),
    values: new Set(whole('value', values, ({ hash }) => Number(String(hash).slice(id.length + 1)))),
  };
}
