/** Documents of Yjs: what storing them costs a server. */
import type { Case, Scenario } from './scenarios.ts';

const cases = (...names: string[]): Case[] => names.map((name) => ({ name, driver: name }));
const MB = 1_000_000;

const updates = [
  { documents: 1, perSecond: 200 },
  { documents: 20, perSecond: 1000 },
  { documents: 20, perSecond: 5000 },
].map(
  ({ documents, perSecond }): Scenario => ({
    family: 'documents',
    name: `documents-${documents}-at-${perSecond}`,
    title: `documents of Yjs: ${documents} that people type into, ${perSecond.toLocaleString('en-US')} updates a second`,
    work: 'documentUpdates',
    cases: cases('provider-yjs', 'y-leveldb', 'insert-yjs', 'nothing-yjs'),
    full: { rounds: 3, sizes: { documents, perSecond, blocks: 2, blockMs: 2500 } },
    quick: { rounds: 1, sizes: { documents: Math.min(documents, 4), perSecond, blocks: 1, blockMs: 100 } },
  }),
);

export const documentScenarios: Scenario[] = [
  ...updates,
  {
    family: 'documents',
    name: 'documents-opening',
    title: 'documents of Yjs: opening one of 30,000 updates that were never merged',
    work: 'documentOpening',
    cases: cases('provider-yjs', 'y-leveldb', 'nothing-yjs'),
    full: { rounds: 3, sizes: { count: 30_000 } },
    quick: { rounds: 1, sizes: { count: 1000 } },
    processes: 3,
  },
  ...[
    { documents: 5, megabytes: 2, perSecond: 100, quietSeconds: 0 },
    { documents: 2, megabytes: 6, perSecond: 50, quietSeconds: 30 },
  ].map(
    ({ documents, megabytes, perSecond, quietSeconds }): Scenario => ({
      family: 'documents',
      name: `documents-server-${documents}-of-${megabytes}`,
      title: `documents on a Hocuspocus server: ${documents} of ${megabytes} MB, ${perSecond} changes a second`,
      work: 'documentServer',
      cases: cases('provider-hocuspocus', 'extension-sqlite', 'nothing-hocuspocus'),
      full: {
        rounds: 3,
        sizes: { documents, bytes: megabytes * MB, perSecond, warmMs: 2000, seconds: 20, quietSeconds },
      },
      quick: {
        rounds: 1,
        sizes: {
          documents,
          bytes: 0.1 * MB,
          perSecond,
          warmMs: 0,
          seconds: 1,
          quietSeconds: Math.min(quietSeconds, 1),
        },
      },
    }),
  ),
  {
    family: 'documents',
    name: 'documents-killed',
    title: 'documents on a Hocuspocus server that is killed while somebody types: characters',
    work: 'documentServerKilled',
    cases: cases('provider-hocuspocus', 'extension-sqlite', 'nothing-hocuspocus'),
    full: { rounds: 3, sizes: { perSecond: 40, seconds: 8 } },
    quick: { rounds: 1, sizes: { perSecond: 40, seconds: 0.5 } },
  },
  {
    family: 'documents',
    name: 'documents-automerge',
    title:
      'storage of automerge-repo: chunks of 200 bytes in one go; documents of which each changes, then all are saved',
    work: 'automergeSaves',
    cases: cases('provider-automerge', 'storage-nodefs'),
    full: { rounds: 3, sizes: { chunks: 5000, documents: 20, changes: 50 } },
    quick: { rounds: 1, sizes: { chunks: 100, documents: 2, changes: 5 } },
  },
];
