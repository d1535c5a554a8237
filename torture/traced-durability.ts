/**
 * 'full' means what it says: in a trace of the system calls, every acknowledgement comes after an
 * fdatasync of the write-ahead log that follows the writing of what it acknowledges. With 'normal'
 * no commit waits for the disk: the log is synced only by a checkpoint, which then writes to the database,
 * and with the header that begins it anew after one; and by a thread that writes nothing, ahead of a checkpoint.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RigContext, scaled, withFolder } from './rig.ts';

const child = join(import.meta.dirname, 'children', 'acknowledging.ts');

export async function run({ scale, report }: RigContext): Promise<void> {
  try {
    execFileSync('strace', ['-V'], { stdio: 'pipe' });
  } catch {
    report.skip('there is no strace here, which shows the system calls');
    return;
  }
  await withFolder(async (folder) => {
    for (const durability of ['full', 'normal']) {
      const rounds = scaled(500, scale, 20);
      const trace = join(folder, `${durability}.trace`);
      const calls = 'trace=fdatasync,fsync,pwrite64,pwritev,write';
      const command = [
        '-f',
        '-y',
        '-s',
        '40',
        '-e',
        calls,
        '-o',
        trace,
        process.execPath,
        child,
        join(folder, `${durability}.db`),
        durability,
        String(rounds),
      ];
      const { status, stderr } = spawnSync('strace', command, {
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: 120_000,
      });
      if (status !== 0) {
        report.skip(`strace does not work here: ${String(stderr).split('\n')[0]}`);
        return;
      }
      judge(readFileSync(trace, 'utf8').split('\n'), durability, rounds);
    }
  });

  function judge(lines: readonly string[], durability: string, rounds: number): void {
    let unsynced = false;
    let syncsBetween = 0;
    /** Those that a write to the database itself has followed: a checkpoint syncs what it is about to copy. */
    let checkpoints = 0;
    let justSynced = false;
    /** Those of the header that SQLite writes as it begins the log anew, after a checkpoint. */
    let headers = 0;
    let headerWritten = false;
    let acknowledged = 0;
    let begun = false;
    /** Threads whose call of fdatasync began and did not end. */
    const inSync = new Set<string>();
    /** Threads that wrote to the log: only their syncs are waited for. */
    const writers = new Set<string>();
    for (const line of lines) {
      const thread = line.split(' ', 1)[0] ?? '';
      const onLog = line.includes('-wal>');
      if (/ write\(1</.test(line) && line.includes('"begun')) begun = true;
      if (!begun) continue;
      if (/ pwrite(64|v)\(/.test(line)) {
        if (onLog) {
          unsynced = true;
          writers.add(thread);
        }
        if (justSynced && line.includes('.db>')) checkpoints++;
        headerWritten = onLog && /, 32, 0\b/.test(line);
        justSynced = false;
      }
      if (/ f(data)?sync\(/.test(line) && onLog && writers.has(thread)) {
        if (line.includes('unfinished')) inSync.add(thread);
        else synced();
      } else if (/ f(data)?sync resumed/.test(line) && inSync.delete(thread)) synced();
      if (/ write\(1</.test(line) && line.includes('"ack')) {
        acknowledged++;
        if (durability === 'full' && unsynced)
          report.violation(`acknowledgement ${acknowledged} came before an fdatasync`);
      }
      if (/ write\(1</.test(line) && line.includes('"end')) break;
    }
    report.count(`acknowledgements traced with '${durability}'`, acknowledged);
    report.count(`fdatasync calls on the log with '${durability}'`, syncsBetween);
    if (acknowledged !== rounds)
      report.violation(`'${durability}': ${acknowledged} acknowledgements of ${rounds} are in the trace`);
    if (durability === 'normal') {
      report.count('of these by a checkpoint', checkpoints);
      report.count("of these for the log's new header after one", headers);
      const others = syncsBetween - checkpoints - headers;
      if (others > 0 || headers > checkpoints)
        report.violation(`'normal': ${others + headers} commits waited for the disk`);
    }
    if (durability === 'full' && syncsBetween < rounds)
      report.violation(`'full': only ${syncsBetween} fdatasync calls`);

    function synced(): void {
      unsynced = false;
      justSynced = true;
      if (headerWritten) headers++;
      headerWritten = false;
      syncsBetween++;
    }
  }
}
