/** What documents of Yjs are to cost a server. */
import type { Goal } from './goal.ts';
import { LEAST_NOTICEABLE_US } from './traffic.ts';

const updates = [
  { documents: 1, perSecond: 200, target: 4 },
  { documents: 20, perSecond: 1000, target: 6 },
  { documents: 20, perSecond: 5000, target: 10 },
].flatMap(({ documents, perSecond, target }): Goal[] => {
  const scenario = `documents-${documents}-at-${perSecond}`;
  const many = documents === 1 ? '1 document' : `${documents} documents`;
  const work = `${many} of Yjs, ${perSecond.toLocaleString('en-US')} updates a second: main-thread time an update, merging included`;
  return [
    { other: 'y-leveldb', target, goal: `1/${target} of y-leveldb` },
    { other: 'insert-yjs', target: 1, goal: 'below one INSERT an update' },
  ].map(({ other, target, goal }) => ({
    id: `${scenario}-${other}`,
    scenario,
    work,
    goal,
    reached: (of) => of(other, 'mainUs') / Math.max(of('provider-yjs', 'mainUs'), LEAST_NOTICEABLE_US),
    sense: 'at least',
    target,
    format: 'fraction',
  }));
});

const turns = [
  { documents: 5, megabytes: 2, perSecond: 100 },
  { documents: 2, megabytes: 6, perSecond: 50 },
].map(({ documents, megabytes, perSecond }): Goal => {
  const scenario = `documents-server-${documents}-of-${megabytes}`;
  return {
    id: `${scenario}-turn`,
    scenario,
    work: `Hocuspocus, ${documents} documents of ${megabytes} MB, ${perSecond} changes a second: longest turn of the main thread`,
    goal: 'within 1 ms of the server without persistence',
    reached: (of) => of('provider-hocuspocus', 'turnMs') - of('nothing-hocuspocus', 'turnMs'),
    sense: 'at most',
    target: 1,
    format: 'ms',
  };
});

export const documentGoals: Goal[] = [
  ...updates,
  ...turns,
  {
    id: 'documents-memory-peak',
    scenario: 'documents-server-2-of-6',
    work: 'Hocuspocus, 2 documents of 6 MB: resident memory at the peak',
    goal: '1.2 × of extension-sqlite',
    reached: (of) => of('provider-hocuspocus', 'peakMiB') / of('extension-sqlite', 'peakMiB'),
    sense: 'at most',
    target: 1.2,
    format: 'times',
  },
  {
    id: 'documents-memory-quiet',
    scenario: 'documents-server-2-of-6',
    work: 'Hocuspocus, 2 documents of 6 MB: resident memory after 30 s of quiet',
    goal: 'within 40 MB of the server without persistence',
    reached: (of) => of('provider-hocuspocus', 'quietMiB') - of('nothing-hocuspocus', 'quietMiB'),
    sense: 'at most',
    target: 40,
    format: 'MB',
  },
  {
    id: 'documents-opening',
    scenario: 'documents-opening',
    work: 'opening a document of 30,000 updates that were never merged: longest turn of the main thread',
    goal: 'within 2 ms of applying one merged update',
    reached: (of) => of('provider-yjs', 'turnMs') - of('nothing-yjs', 'turnMs'),
    sense: 'at most',
    target: 2,
    format: 'ms',
  },
  {
    id: 'documents-killed',
    scenario: 'documents-killed',
    work: 'Hocuspocus, killed in mid-typing at 40 keys a second: characters lost that a client knew to be in the server',
    goal: 'as many as are typed within 5 ms: at most 1',
    reached: (of) => of('provider-hocuspocus', 'lost'),
    sense: 'at most',
    target: 1,
    format: 'count',
  },
];
