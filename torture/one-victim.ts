/**
 * Ten files on one worker. For one of them, each system call of opening, serving and closing fails, in each way that
 * a system knows, while the nine others are written: the right code for the one, and for the nine nothing at all.
 */
import { buildFaultyLibrary, runWithFaults, tellOf } from './faulty-library.ts';
import { type RigContext, scaled, withFolder } from './rig.ts';

const MOST_CALLS = 300;
const ROUNDS_WITHOUT_THREADS = 40;

/**
 * Kinds of system calls, by the bits that the C side knows. Not those for locks: SQLite takes any error of theirs for the
 * lock of another process, and where it can't get the one to read with waits for it itself, within the call, for ten
 * seconds (wal.c, WAL_RETRY_PROTOCOL_LIMIT).
 */
const calls = {
  'stat, lstat, fstat': 16,
  'readlink, realpath': 32,
  open: 8,
  'open, access': 8 | 64, // we ask for rights only where a file could not be opened
  read: 128,
  write: 1,
  'fsync, fdatasync': 2,
  ftruncate: 4,
  mmap: 256,
  unlink: 512,
  'any of them': 1023, // and all from there on, every other time: a dead mount
} as const;

const errors = [
  'ENAMETOOLONG',
  'ELOOP',
  'EACCES',
  'EPERM',
  'ENOTDIR',
  'ENOTCONN',
  'ESTALE',
  'EIO',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EAGAIN',
];

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  await withFolder(async (folder) => {
    const library = buildFaultyLibrary(folder, report);
    if (library === undefined) return;
    let turn = seed;
    for (const phase of ['open', 'serve', 'close']) {
      // a small slice has some of the errors for each kind of call, in turn
      const some = () => Array.from({ length: scaled(errors.length, scale, 2) }, () => errors[turn++ % errors.length]);
      const tasks = Object.entries(calls).map(([what, bit]) => ({ what, bit, errors: some() }));
      const args = [phase, JSON.stringify(tasks), String(scaled(MOST_CALLS, scale, 3))];
      const reply = await runWithFaults(library, 'meeting-each-error', folder, args, { SDS_PERSISTENCE_WORKERS: '1' });
      for (const [what, times] of Object.entries(reply.faults))
        report.count(`faults (${what}) in phase ${phase}`, times);
      tellOf(reply, report, `${phase}: `);
      if (Object.keys(reply.faults).length === 0)
        report.violation(`phase ${phase}: no fault was injected, so nothing was tried`);
    }
    const rounds = scaled(ROUNDS_WITHOUT_THREADS, scale, 4);
    for (let i = 0; i < scaled(errors.length, scale); i++) {
      const args = [errors[(seed + i) % errors.length] ?? '', String(seed + i), String(rounds)];
      const reply = await runWithFaults(library, 'without-threads', folder, args, { SDS_PERSISTENCE_WORKERS: '3' });
      for (const [what, times] of Object.entries(reply.faults)) report.count(what, times);
      tellOf(reply, report);
    }
  });
}
