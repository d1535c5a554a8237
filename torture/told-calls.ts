/** What a program told of its calls, compared with what lies in its files. */
import { numbered } from '../tests/support/sync-engine.ts';
import { reading } from './database-rows.ts';

interface Call {
  kind: 'patch' | 'over' | 'snapshot' | 'prune' | 'value' | 'release';
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
}

export interface Promised {
  /** What was called and never rejected. */
  all: boolean;
  /** Also snapshots, prunes and values whose promise has resolved. */
  everyKept: boolean;
  /** Whether calls are there up to some point. */
  inOrder: boolean;
  /** Whether a commit may have met an error that says nothing of its outcome; what is tried once more after that may fail otherwise. */
  inDoubt: boolean;
}

const isPatch = ({ kind }: Call): boolean => kind === 'patch' || kind === 'over';

/**
 * Of all stores, by their ids.
 *
 * @param isReported - whether a failure was told on stderr of the file of that store
 */
export function toldBy(lines: readonly string[], isReported: (id: string) => boolean): Map<string, Told> {
  const stores = new Map<string, Told>();
  const calls = new Map<string, Call>();
  const asked = new Map<string, Call[]>();
  for (const line of lines) {
    const [word, ...rest] = line.split(' ');
    if (word === 'called') {
      const [kind, id = '', number, provider = ''] = rest;
      const call = { kind: kind as Call['kind'], number: Number(number), provider, isKept: false, failed: undefined };
      const told = stores.get(id) ?? { calls: [], isReported: isReported(id) };
      stores.set(id, told);
      told.calls.push(call);
      calls.set(rest.slice(0, 3).join(' '), call);
    }
    const call = calls.get(rest.slice(0, 3).join(' '));
    if (word === 'kept' && call !== undefined) call.isKept = true;
    if (word === 'failed' && call !== undefined) call.failed = rest[3];
    if (word !== 'asked' && word !== 'answered') continue;
    const [id = '', provider = '', answer] = rest;
    const told = stores.get(id);
    if (told === undefined) continue;
    if (word === 'asked')
      asked.set(
        provider,
        told.calls.filter((one) => one.provider === provider),
      );
    else if (answer === 'ok') for (const one of asked.get(provider) ?? []) one.isKept = true;
    else told.isReported = true;
  }
  return stores;
}

/** What of it is not as it was promised. */
export function brokenPromises(path: string, id: string, told: Told, promised: Promised): string[] {
  const broken: string[] = [];
  const { patches, values, snapshot } = rowsOf(path, id, (what) => broken.push(`${id}: ${what}`));
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
  if (!promised.inDoubt) {
    tell(
      'rejected patches are there',
      patchCalls.filter(({ number, failed }) => failed !== undefined && patches.has(number)),
    );
  }
  if (promised.inOrder) {
    // bytes that were handed over may be lost with a worker
    const gap = patchCalls.findIndex((call) => call.kind === 'patch' && isLost(call));
    const behind = gap < 0 ? [] : patchCalls.slice(gap).filter((call) => !isLost(call));
    tell(`patches are there behind ${JSON.stringify(patchCalls[gap])}`, behind);
  }
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

function rowsOf(path: string, id: string, tell: (what: string) => void) {
  return reading(path, (database) => {
    const isMade = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'patches'").get() !== undefined;
    const read = (sql: string) =>
      (isMade ? database.prepare(sql).all(id) : []) as { number: number | string; data: Uint8Array }[];
    const whole = (what: string, sql: string) =>
      read(sql).map(({ number, data }) => {
        if (!numbered(Number(number), data.length).equals(data)) tell(`${what} ${number} has other bytes`);
        return Number(number);
      });
    return {
      patches: new Set(whole('patch', 'SELECT clock AS number, data FROM patches WHERE store_id = ? ORDER BY clock')),
      snapshot: whole('snapshot', 'SELECT clock AS number, data FROM snapshots WHERE store_id = ?')[0] ?? 0,
      values: new Set(
        whole(
          'value',
          "SELECT substr(hash, instr(hash, ':') + 1) AS number, data FROM blobs WHERE hash LIKE ? || ':%'",
        ),
      ),
    };
  });
}
