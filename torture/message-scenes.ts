/** What is done while one message of the protocol meets with a mishap, and what has to be there afterwards. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { copyStores, SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import { linesOf, type Rows, rowsOf } from '../tests/support/rows.ts';
import { Program } from './child-process.ts';
import { differenceOf } from './database-rows.ts';
import { answerOf, type Call, Model } from './model.ts';
import { perform } from './perform.ts';
import { codeOf, type Report, within } from './rig.ts';

/** A database for one scene, and the line to it. */
export interface Stage {
  /** Through the line. */
  url: string;
  /** Whether a call may reject with this code. */
  mayReject: (code: string) => boolean;
  /** Whether nothing is to be rejected, and everything given back. */
  isWhole: boolean;
  /** Whether the server says nothing for some seconds. */
  isSilent: boolean;
  /** Trouble that stays ends: statements fail no more, and the server hears of a line that was cut. */
  lift: () => void;
  rows: () => Promise<Rows>;
  /** How many claims are left there. */
  claims: () => Promise<number>;
  /** A file of its own, that is not there. */
  file: string;
  violation: (what: string) => void;
  report: Report;
}

export interface Scene {
  name: string;
  /** Without tables, with tables, or with all stores of the source. */
  begins: 'empty' | 'with tables' | 'full';
  /** Whether statements may fail in it. */
  fails: boolean;
  play: (stage: Stage) => Promise<void>;
}

const MOST_MS = 60_000;

/** What is called of a store's provider, which is made when it is first named, or named again after its end. */
type Step = readonly (readonly [store: string, call: Call | ((model: Model) => Call) | 'ready' | 'close'])[];

/** Patches are kept under another number in the store of this name. */
const KEEPING = 'keeping';

const bytes = (text: string, length = text.length) => Buffer.alloc(length, text);
const large = (text: string) => bytes(text, 300_000);
const patch = (clock: number, text = `patch ${clock}`): Call => ({ kind: 'appendPatch', clock, bytes: bytes(text) });
const snapshot = (clock: number, data: Uint8Array): Call => ({ kind: 'saveSnapshot', clock, bytes: data });
const prune = (clock: number): Call => ({ kind: 'prunePatches', clock });
const value = (hash: string, data = bytes(hash)): Call => ({ kind: 'saveValue', hash, bytes: data });
const release = (hash: string): Call => ({ kind: 'releaseValue', hash });
const record = (key: string, text = key): Call => ({ kind: 'saveRecord', key, bytes: bytes(text) });
const compaction = (store: string, clock: number, data: Uint8Array) => (model: Model) => {
  return { kind: 'compactStore', bytes: data, seen: model.seen(store, clock) } as const;
};
const loads: readonly Call[] = [
  { kind: 'loadPatchesSince', clock: 3 },
  { kind: 'loadSnapshot' },
  { kind: 'loadValue', hash: 'v' },
  { kind: 'loadStore' },
  { kind: 'loadRecords', key: '' },
];
const of = (store: string, ...calls: readonly Step[number][1][]): Step => calls.map((call) => [store, call] as const);

const numbered = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => patch(from + i));

const everyCall: Step[] = [
  of('one', 'ready'),
  of('one', ...numbered(1, 20)),
  of('one', patch(21)),
  of('one', snapshot(10, bytes('snapshot'))),
  of('one', prune(11)),
  of(
    'one',
    value('v'),
    value('v'),
    release('v'),
    record('a'),
    record('b'),
    { kind: 'removeRecord', key: 'a' },
    patch(22),
    prune(15),
    patch(23),
  ),
  of('one', ...loads),
  of('one', 'close'),
];

const largeBytes: Step[] = [
  of('one', snapshot(1, large('a')), patch(2)),
  of('one', value('v', large('v')), record('a')),
  of('one', snapshot(2, large('b')), patch(3)),
  of('one', value('v', large('v')), release('v'), release('v'), value('w', large('w'))),
  of('one', compaction('one', 3, large('c')), patch(4)),
  of('one', compaction('one', 4, bytes('d')), patch(5)),
  of('one', ...loads),
  of('one', { kind: 'removeStore' }, patch(50), release('w')),
  of('one', snapshot(50, large('e'))), // with it, what was not deleted before is
  of('one', 'close'),
];

/** What a process calls and does not wait for. */
export const leavingCalls: readonly Call[] = [
  ...numbered(1, 20),
  value('v'),
  snapshot(3, bytes('snapshot')),
  prune(4),
  value('v'),
  snapshot(4, large('snapshot')),
];

const severalStores: Step[] = [
  [...of('one', patch(1), value('v')), ...of('two', patch(1), value('v')), ...of(KEEPING, ...numbered(1, 3))],
  [
    ...of('one', patch(1, 'other'), patch(2)),
    ...of(KEEPING, patch(2, 'other'), patch(3, 'another'), patch(2, 'other')),
  ],
  of('one', 'close'),
  [...of('one', patch(3), record('a')), ...of('two', patch(2), release('v'), snapshot(2, bytes('s')))],
  [...of('one', 'close'), ...of('two', 'close'), ...of(KEEPING, 'close')],
];

export function scenesOf(source: string): Scene[] {
  const calls = (name: string, steps: readonly Step[], begins: Scene['begins'] = 'with tables'): Scene => {
    return { name, begins, fails: true, play: (stage) => callAll(stage, steps) };
  };
  return [
    calls('tables are made', everyCall.slice(0, 2), 'empty'),
    calls('every call', everyCall),
    calls('large bytes', largeBytes),
    calls('several stores', severalStores),
    // a failure is told on stderr then
    { name: 'end of a process', begins: 'with tables', fails: false, play: leave },
    { name: 'copy from a file', begins: 'with tables', fails: true, play: (stage) => copyIn(stage, source) },
    { name: 'copy into a file', begins: 'full', fails: true, play: (stage) => copyOut(stage, source) },
  ];
}

// ---- calls -------------------------------------------------------------------------------------------

function optionsOf(store: string, { isWhole }: Stage): SDS_ProviderOptions {
  return {
    Acknowledge: 'committed',
    OnClockCollision: store === KEEPING ? 'keep' : 'ignore',
    LeaseMs: 1000,
    RetryForMs: 8000,
    // what a lost connection has left at the server is waited for; what fails is to fail soon
    BusyTimeoutMs: isWhole ? 20_000 : 300,
  };
}

/** Each step is called in one go, and settles before the next one. */
async function callAll(stage: Stage, steps: readonly Step[]): Promise<void> {
  const { violation, report } = stage;
  const model = new Model();
  const providers = new Map<string, SDS_DesktopPersistenceProvider>();
  for (const [number, step] of steps.entries()) {
    const began = performance.now();
    const made = step.map(([store, given]) => {
      const call = typeof given === 'function' ? given(model) : given;
      const provider =
        providers.get(store) ?? new SDS_DesktopPersistenceProvider(stage.url, store, optionsOf(store, stage));
      providers.set(store, provider);
      if (call === 'close') providers.delete(store);
      const outcome = typeof call === 'string' ? provider[call]() : perform(provider, call);
      return { store, call, outcome };
    });
    const outcomes = await within(MOST_MS, `step ${number}`, Promise.allSettled(made.map(({ outcome }) => outcome)));
    report.most('most ms of a step', Math.round(performance.now() - began));
    for (const [i, { store, call }] of made.entries()) {
      const outcome = outcomes[i] as PromiseSettledResult<unknown>; // one each
      const kind = typeof call === 'string' ? call : call.kind;
      const where = `step ${number}, ${kind} of ${store}`;
      if (outcome.status === 'rejected') judgeError(stage, where, kind, outcome.reason);
      else if (typeof call !== 'string') {
        const wanted = model.apply(store, call, store === KEEPING);
        const found = answerOf(outcome.value);
        if (JSON.stringify(found) !== JSON.stringify(wanted))
          violation(`${where} answered otherwise: ${String(found).slice(0, 60)}`);
      }
    }
    stage.lift();
  }
  await within(MOST_MS, 'close', Promise.all([...providers.values()].map((provider) => provider.close())));
  await compare(stage, model);
}

/** It names the call and the database, has a code that fits, and tells no password. */
function judgeError({ mayReject, violation, report, url }: Stage, where: string, kind: string, error: unknown): void {
  const code = codeOf(error);
  const { message } = error as Error;
  const { pathname, password } = new URL(url);
  report.count(`rejected with ${code}`);
  if (!mayReject(code)) violation(`${where} rejected with ${code}: ${message}`);
  if (!message.includes(kind) || !message.includes(pathname.slice(1)))
    violation(`${where}: a message says less: ${message}`);
  if (message.includes(password) || message.includes(decodeURIComponent(password)))
    violation(`${where}: the password is told`);
}

/** By process.exit(), which waits for all that was called. */
async function leave(stage: Stage): Promise<void> {
  const program = new Program('leaving', [stage.url, 'one', JSON.stringify(optionsOf('one', stage))]);
  const { code, signal } = await within(MOST_MS, 'the end of a process', program.ended);
  if (code !== 0) stage.violation(`a process ended with ${code ?? signal}: ${program.errors}`);
  if (program.errors !== '') stage.violation(`a process said: ${program.errors}`);
  const model = new Model();
  for (const call of leavingCalls) model.apply('one', call);
  // its stores are given back within two seconds, or left to the lease
  await compare({ ...stage, isWhole: !stage.isSilent }, model);
}

async function compare({ rows, claims, isWhole, violation }: Stage, model: Model): Promise<void> {
  const difference = differenceOf(linesOf(await rows()), model.rows());
  if (difference !== undefined) violation(`other rows: ${difference}`);
  const left = await claims();
  if (isWhole && left > 0) violation(`${left} stores were not given back`);
}

// ---- copies ------------------------------------------------------------------------------------------

/** A file with some of everything; its path. */
export async function makeSource(folder: string): Promise<string> {
  const file = join(folder, 'source.db');
  const providers = ['one', KEEPING].map((store) => new SDS_DesktopPersistenceProvider(file, store));
  for (const step of [everyCall[1], everyCall[5], largeBytes[0], largeBytes[1]].flatMap((step) => step ?? [])) {
    const [, call] = step;
    if (typeof call === 'object') for (const provider of providers) void perform(provider, call);
  }
  await Promise.all(providers.map((provider) => provider.close()));
  return file;
}

async function copyIn(stage: Stage, source: string): Promise<void> {
  await copy(stage, source, stage.url);
  const difference = differenceOf(linesOf(await stage.rows()), linesOf(rowsOf(source)));
  if (difference !== undefined) stage.violation(`copied otherwise: ${difference}`);
}

async function copyOut(stage: Stage, source: string): Promise<void> {
  await copy(stage, stage.url, stage.file);
  const difference = differenceOf(linesOf(rowsOf(stage.file)), linesOf(rowsOf(source)));
  if (difference !== undefined) stage.violation(`copied otherwise: ${difference}`);
  rmSync(stage.file);
}

/** Once more if it was cut off: then it is done. */
async function copy(stage: Stage, from: string, to: string): Promise<void> {
  try {
    await within(MOST_MS, 'a copy', copyStores(from, to));
    return;
  } catch (error) {
    judgeError(
      { ...stage, mayReject: (code) => code === 'connection-failed' || stage.mayReject(code) },
      'a copy',
      'copyStores',
      error,
    );
  }
  if (existsSync(to)) stage.violation('a copy that was rejected has left a file');
  stage.lift();
  await within(MOST_MS, 'a copy that is called again', copyStores(from, to)).catch((error) => {
    // it was at its very end
    if (codeOf(error) !== 'file-exists') stage.violation(`called again: ${String(error)}`);
  });
}
