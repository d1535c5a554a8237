/**
 * Programs like those of two-troubles.ts that keep documents: by YjsPersistence, a server of Hocuspocus, MergedDocuments, or the storage of
 * automerge-repo. Each change is a number. What was reported as stored has to be there, what was deleted may not come back, and what is lost
 * has to be told.
 */
import type { Rows } from '../tests/support/rows.ts';
import { anotherKeeper } from './another-keeper.ts';
import { documentOf } from './counted-document.ts';
import { automergeIdOf, numbersInChunks } from './counted-repo.ts';
import { LASTING, numbersIn, numbersOf } from './numbered-changes.ts';
import type { Promised, Told } from './told-calls.ts';
import { files } from './troubles.ts';
import { inTrouble, type Life, type Trade } from './two-troubles.ts';

const ofYjs = ['yjs', 'hocuspocus', 'clients'];

type Wanted = 'there' | 'gone' | 'either';

/** What lies in a database of a document; and whether a part of it waits for another one. */
function changesIn(rows: Rows, style: string, id: string): { there: Set<number>; isWaiting: boolean } {
  const bytesOf = (found: readonly Record<string, unknown>[]) =>
    found.map(({ data }) => Buffer.from(String(data), 'hex'));
  if (ofYjs.includes(style)) {
    const doc = documentOf(id, rows);
    return { there: numbersIn(doc), isWaiting: doc.store.pendingStructs !== null };
  }
  const recordsOf = (...key: string[]) =>
    bytesOf(rows.records.filter((record) => String(record.key).startsWith(key.map((part) => `${part}\x01`).join(''))));
  if (style === 'repo') {
    const documentId = automergeIdOf(id);
    return numbersInChunks([...recordsOf(documentId, 'snapshot'), ...recordsOf(documentId, 'incremental')]);
  }
  const found =
    style === 'merged'
      ? bytesOf([...rows.snapshots, ...rows.patches].filter(({ store_id }) => store_id === id))
      : recordsOf(id);
  return { there: new Set(found.flatMap(numbersOf)), isWaiting: false };
}

function broken(rows: Rows, id: string, told: Told, promised: Promised, life: Life): string[] {
  const { there, isWaiting } = changesIn(rows, life.style, id);
  const isWhole = promised.all && !told.isReported && !mayForget(life, told);
  const wanted = new Map<number, Wanted>();
  for (const { kind, number, isKept, failed } of told.calls) {
    const isSure = failed === undefined && (isKept || isWhole);
    const isNot = failed !== undefined && !promised.mayBeStored(failed);
    const set = (one: number, to: Wanted) => {
      const from = wanted.get(one) ?? 'gone';
      wanted.set(one, isSure ? to : isNot || from === to ? from : 'either');
    };
    if (kind === 'sent') wanted.set(number, 'either');
    else if (kind === 'patch') set(number, 'there');
    else if (kind === 'release') set(number, 'gone');
    else for (const one of wanted.keys()) if (one <= number) set(one, 'gone');
  }
  const named = (what: string, odd: number[]) =>
    odd.length === 0 ? [] : [`${id}: ${odd.length} of ${wanted.size} changes ${what}, as ${odd[0]}`];
  const of = (to: Wanted) => [...wanted].flatMap(([number, one]) => (one === to ? [number] : []));
  return [
    ...named(
      'are missing',
      of('there').filter((number) => !there.has(number)),
    ),
    ...named(
      'are there that were rejected or deleted',
      of('gone').filter((number) => there.has(number)),
    ),
    // what another process has lost is judged by what that one has told
    ...(isWaiting && isWhole && life.processes === 1 ? [`${id}: a part waits for changes that are not there`] : []),
  ];
}

/** What the storage of automerge-repo is yet to carry out again is lost with the process, which does not live on for what no time helps: it was told of that. */
function mayForget({ style, ending, options }: Life, { codes }: Told): boolean {
  if ((style !== 'automerge-repo' && style !== 'repo') || ending === 'SIGTERM, close') return false;
  if (ending === 'close' || ending === 'natural') return LASTING.some((code) => codes.has(code));
  return options.Overflow === 'reject' || codes.size > 0;
}

export const keeping: Trade = {
  program: 'keeping-in-trouble',
  styles: ['yjs', 'yjs', 'hocuspocus', 'clients', 'merged', 'automerge-repo', 'repo'],
  isOfOneStyle: true,
  mostMs: 2500,
  broken,
  another: anotherKeeper,
};

/** Some documents go from one process to the other. */
export const ofProcesses = [1, 1, 2];

export const run = inTrouble(files, ofProcesses, keeping);
