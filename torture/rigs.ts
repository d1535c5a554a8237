/** All rigs, in the order in which they run. */
import type { Rig } from './rig.ts';

export interface RigEntry {
  /** What is broken on purpose. */
  what: string;
  load: () => Promise<{ run: Rig }>;
  /** The whole takes no longer than this; beyond it, it hangs. */
  mostMinutes: number;
}

export const rigs: Record<string, RigEntry> = {
  'killed-in-mid-burst': {
    what: 'processes ended by SIGKILL while they append',
    load: () => import('./killed-in-mid-burst.ts'),
    mostMinutes: 8,
  },
  'sync-engine': {
    what: 'the sync engine of the family, ended in every way, on the reference and on this provider',
    load: () => import('./sync-engine.ts'),
    mostMinutes: 60,
  },
  'bad-input': {
    what: 'every kind of value as every argument and option',
    load: () => import('./bad-input.ts'),
    mostMinutes: 2,
  },
  'lost-workers': {
    what: 'worker threads terminated at random moments under mixed calls',
    load: () => import('./lost-workers.ts'),
    mostMinutes: 5,
  },
  'model-commands': {
    what: 'random calls of several providers, compared with the reference',
    load: () => import('./model-commands.ts'),
    mostMinutes: 15,
  },
  'calls-from-within': {
    what: 'random calls made from within subscribers, callbacks and getters',
    load: () => import('./calls-from-within.ts'),
    mostMinutes: 15,
  },
  backpressure: {
    what: 'far more appended in one go than may be pending',
    load: () => import('./backpressure.ts'),
    mostMinutes: 7,
  },
  'meeting-numbers': {
    what: 'a number used twice after a prune, a restart and a crash',
    load: () => import('./meeting-numbers.ts'),
    mostMinutes: 2,
  },
  'small-disk': {
    what: 'a disk that is full or read-only, a file or folder taken away',
    load: () => import('./small-disk.ts'),
    mostMinutes: 3,
  },
  'processes-on-one-file': {
    what: 'several processes on one file, one killed, one holding a lock',
    load: () => import('./processes-on-one-file.ts'),
    mostMinutes: 5,
  },
  'hostile-files': {
    what: 'damaged files, files of another shape, files that are no database',
    load: () => import('./hostile-files.ts'),
    mostMinutes: 10,
  },
  'traced-durability': {
    what: "system calls traced: what 'full' and 'normal' wait for",
    load: () => import('./traced-durability.ts'),
    mostMinutes: 5,
  },
  'faulty-calls': {
    what: 'system calls that fail at the n-th time',
    load: () => import('./faulty-calls.ts'),
    mostMinutes: 20,
  },
  backups: {
    what: 'backups in the middle of random calls, some of their processes killed',
    load: () => import('./backups.ts'),
    mostMinutes: 45,
  },
  'operations-on-hostile-files': {
    what: 'damaged files and files of another shape through every operation',
    load: () => import('./operations-on-hostile-files.ts'),
    mostMinutes: 10,
  },
  'operations-on-a-full-disk': {
    what: 'a disk that becomes full at each step of backup, restore, copy and compact',
    load: () => import('./operations-on-a-full-disk.ts'),
    mostMinutes: 5,
  },
  'failing-operations': {
    what: 'each system call of backup, restore, copy and compact failing, and the last one before a SIGKILL',
    load: () => import('./failing-operations.ts'),
    mostMinutes: 60,
  },
  'one-victim': {
    what: 'each system call on one file failing in each way, nine others written beside it; threads that can not be started',
    load: () => import('./one-victim.ts'),
    mostMinutes: 30,
  },
  'two-troubles': {
    what: 'programs in ordinary trouble of two kinds at once, in every style, ended in every way',
    load: () => import('./two-troubles.ts'),
    mostMinutes: 20,
  },
  'processes-in-trouble': {
    what: 'two or three programs that share their files and stores, in ordinary trouble of two kinds at once',
    load: () => import('./processes-in-trouble.ts'),
    mostMinutes: 25,
  },
  soak: {
    what: 'a mixed load for ten minutes',
    load: () => import('./soak.ts'),
    mostMinutes: 13,
  },
  'documents-killed': {
    what: 'documents of Yjs and Hocuspocus, their programs killed while they append and merge, with lost merging threads, full disks and rubbish',
    load: () => import('./documents-killed.ts'),
    mostMinutes: 45,
  },
  'documents-compacting': {
    what: 'two processes that append to one document and merge it at random, and delete documents that are open',
    load: () => import('./documents-compacting.ts'),
    mostMinutes: 25,
  },
  'documents-in-trouble': {
    what: 'documents of Yjs, Hocuspocus, automerge-repo and others, in ordinary trouble of two kinds at once, their programs ended in every way',
    load: () => import('./documents-in-trouble.ts'),
    mostMinutes: 20,
  },
  'postgresql-random-calls': {
    what: 'random calls on PostgreSQL, compared with the reference',
    load: () => import('./postgresql-random-calls.ts'),
    mostMinutes: 8,
  },
  'postgresql-sync-engine': {
    what: 'PostgreSQL: the sync engine of the family, ended in every way',
    load: () => import('./postgresql-sync-engine.ts'),
    mostMinutes: 60,
  },
  'postgresql-lost-connections': {
    what: 'PostgreSQL: the backend, the server, the connection at each byte, the answer to a commit lost',
    load: () => import('./postgresql-lost-connections.ts'),
    mostMinutes: 45,
  },
  'postgresql-each-message': {
    what: 'PostgreSQL: the line cut before, behind and within each message, messages that are late, statements that fail',
    load: () => import('./postgresql-each-message.ts'),
    mostMinutes: 45,
  },
  'postgresql-late-bytes': {
    what: 'PostgreSQL: what a cut connection had sent arrives at a random later time',
    load: () => import('./postgresql-late-bytes.ts'),
    mostMinutes: 60,
  },
  'postgresql-lost-workers': {
    what: 'PostgreSQL: worker threads terminated at random moments under mixed calls',
    load: () => import('./postgresql-lost-workers.ts'),
    mostMinutes: 10,
  },
  'postgresql-killed-processes': {
    what: 'PostgreSQL: processes ended by SIGKILL, their stores taken over',
    load: () => import('./postgresql-killed-processes.ts'),
    mostMinutes: 20,
  },
  'postgresql-fencing': {
    what: 'PostgreSQL: processes stopped over the end of their lease',
    load: () => import('./postgresql-fencing.ts'),
    mostMinutes: 15,
  },
  'postgresql-processes': {
    what: 'PostgreSQL: two, four and eight processes on one database, one killed',
    load: () => import('./postgresql-processes.ts'),
    mostMinutes: 15,
  },
  'postgresql-migrations': {
    what: 'PostgreSQL: twenty processes that find no tables at the same time',
    load: () => import('./postgresql-migrations.ts'),
    mostMinutes: 8,
  },
  'postgresql-failover': {
    what: 'PostgreSQL: the primary killed, the synchronous standby promoted',
    load: () => import('./postgresql-failover.ts'),
    mostMinutes: 10,
  },
  'postgresql-pgbouncer': {
    what: 'PostgreSQL through PgBouncer in transaction mode',
    load: () => import('./postgresql-pgbouncer.ts'),
    mostMinutes: 15,
  },
  'postgresql-copying': {
    what: 'PostgreSQL: stores that are copied there, the process killed and the connection cut again and again',
    load: () => import('./postgresql-copying.ts'),
    mostMinutes: 30,
  },
  'postgresql-two-troubles': {
    what: 'PostgreSQL: programs in ordinary trouble of two kinds at once, in every style, ended in every way',
    load: () => import('./postgresql-two-troubles.ts'),
    mostMinutes: 45,
  },
  'postgresql-documents-killed': {
    what: 'PostgreSQL: documents of Yjs and Hocuspocus, their programs killed while they append and merge, with lost merging threads, a cut line and rubbish',
    load: () => import('./postgresql-documents-killed.ts'),
    mostMinutes: 45,
  },
  'postgresql-documents-compacting': {
    what: 'PostgreSQL: two processes that append to one document and merge it at random, and delete documents that are open',
    load: () => import('./postgresql-documents-compacting.ts'),
    mostMinutes: 25,
  },
  'postgresql-documents-in-trouble': {
    what: 'PostgreSQL: documents of Yjs, Hocuspocus, automerge-repo and others, in ordinary trouble of two kinds at once',
    load: () => import('./postgresql-documents-in-trouble.ts'),
    mostMinutes: 45,
  },
  'postgresql-soak': {
    what: 'PostgreSQL: a mixed load for ten minutes, the server restarted each minute',
    load: () => import('./postgresql-soak.ts'),
    mostMinutes: 13,
  },
};
