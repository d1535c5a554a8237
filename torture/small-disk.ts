/**
 * Trouble with the disk, on a real small file system: full and room again, read-only and back, the
 * file removed while it is open, its folder removed. Each time the right code, all that was
 * acknowledged is there, and the same provider goes on once the trouble is over.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { integrityOf, reading } from './database-rows.ts';
import { Random } from './random.ts';
import { codeOf, type RigContext, withFolder, within } from './rig.ts';

const SIZE = '4m';

/** A provider, and what it has acknowledged so far. */
class Subject {
  readonly provider: SDS_DesktopPersistenceProvider;
  readonly dbPath: string;
  readonly acknowledged = new Set<number>();
  readonly codes = new Map<string, number>();
  #clock = 0;

  constructor(dbPath: string, durability: 'normal' | 'full') {
    this.dbPath = dbPath;
    this.provider = new SDS_DesktopPersistenceProvider(dbPath, 'store', { Durability: durability, BusyTimeoutMs: 500 });
  }

  /** Appends so many patches in batches of ten; returns how many failed. */
  async append(count: number, length: number): Promise<number> {
    let failures = 0;
    for (let done = 0; done < count; done += 10) {
      const clocks = Array.from({ length: Math.min(10, count - done) }, () => ++this.#clock);
      const calls = clocks.map((clock) => this.provider.appendPatch(new Uint8Array(length).fill(clock), clock));
      const outcomes = await within(60_000, 'an append', Promise.allSettled(calls));
      for (const [i, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled') {
          this.acknowledged.add(clocks[i] ?? 0);
          continue;
        }
        failures++;
        const code = codeOf(outcome.reason);
        this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
      }
    }
    return failures;
  }

  /** Which of the acknowledged patches are not there, or are others. */
  missing(): string | undefined {
    const sound = integrityOf(this.dbPath);
    if (sound !== 'ok') return `integrity_check: ${sound}`;
    const left = new Set(this.acknowledged);
    const wrong = reading(this.dbPath, (database) => {
      for (const { clock, data } of database.prepare('SELECT clock, data FROM patches').all()) {
        left.delete(clock as number);
        if (!(data as Uint8Array).every((byte) => byte === ((clock as number) & 255)))
          return `patch ${clock} has other bytes`;
      }
      return undefined;
    });
    return wrong ?? (left.size > 0 ? `${left.size} acknowledged patches are missing` : undefined);
  }
}

export async function run({ seed, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  await withFolder(async (folder) => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    const mount = (options: string) =>
      execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', disk], { stdio: 'pipe' });
    try {
      mount(`size=${SIZE}`);
    } catch (error) {
      report.skip(`mounting a small file system is not permitted here: ${String(error).split('\n')[0]}`);
      await removed(join(folder, 'here'));
      return;
    }
    try {
      for (const durability of ['normal', 'full'] as const) {
        await full(disk, durability);
        await readOnly(disk, durability, mount);
      }
      await removed(join(disk, 'there'));
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  });

  function judge(what: string, subject: Subject, failures: number, codes: readonly string[]): void {
    report.count(`${what}: calls that failed`, failures);
    if (failures === 0) report.violation(`${what}: nothing failed, so nothing was tried`);
    for (const code of subject.codes.keys()) {
      if (!codes.includes(code)) report.violation(`${what}: rejected with ${code} instead of ${codes.join(' or ')}`);
    }
    const missing = subject.missing();
    if (missing !== undefined) report.violation(`${what}: ${missing}`);
    report.count(`${what}: acknowledged patches found again`, subject.acknowledged.size);
  }

  async function goesOn(what: string, subject: Subject): Promise<void> {
    if ((await subject.append(20, 200)) > 0)
      report.violation(`${what}: does not go on: ${[...subject.codes.keys()].join()}`);
    const found = await subject.provider.loadPatchesSince(0).catch(codeOf);
    if (found.length !== subject.acknowledged.size) {
      report.violation(`${what}: afterwards ${subject.acknowledged.size} are acknowledged, ${found.length} are loaded`);
    }
    await within(60_000, 'close', subject.provider.close());
    const missing = subject.missing();
    if (missing !== undefined) report.violation(`${what}, after going on: ${missing}`);
  }

  /** Once by another file, and once by the database's own growth. */
  async function full(disk: string, durability: 'normal' | 'full'): Promise<void> {
    for (const by of ['itself', 'another file']) {
      const what = 'disk full';
      const subject = new Subject(join(disk, `full-${durability}-${by.length}.db`), durability);
      await subject.append(30, 500);
      const ballast = join(disk, 'ballast');
      if (by === 'another file') fill(ballast);
      // as much as the rest: the log must fit into the database once there is room again
      else writeFileSync(ballast, Buffer.alloc(2.2e6));
      const failures = await subject.append(by === 'itself' ? 400 : 40, 8000 + random.below(5000));
      rmSync(ballast);
      judge(what, subject, failures, ['database-full']);
      await goesOn(what, subject);
      for (const end of ['', '-wal', '-shm']) rmSync(subject.dbPath + end, { force: true });
    }
  }

  function fill(path: string): void {
    for (let chunk = 1 << 20; chunk >= 512; chunk /= 2) {
      for (;;) {
        try {
          writeFileSync(path, Buffer.alloc(chunk), { flag: 'a' });
        } catch {
          break; // it is full at this size
        }
      }
    }
  }

  async function readOnly(
    disk: string,
    durability: 'normal' | 'full',
    mount: (options: string) => void,
  ): Promise<void> {
    const what = 'read-only';
    const dbPath = join(disk, `read-only-${durability}.db`);
    const before = new Subject(dbPath, durability);
    await before.append(30, 500);
    await before.provider.close();
    // with the file closed: an open one keeps the file system from becoming read-only
    mount('remount,ro');
    const subject = new Subject(dbPath, durability);
    for (const clock of before.acknowledged) subject.acknowledged.add(clock);
    await subject.append(30, 0);
    const failures = [...subject.codes.values()].reduce((a, b) => a + b, 0);
    mount('remount,rw');
    judge(what, subject, failures, ['read-only']);
    await goesOn(what, subject);
  }

  /** A removed file: nothing may be acknowledged that nobody can read again. Put back, or made anew, it goes on. */
  async function removed(folder: string): Promise<void> {
    for (const target of ['file', 'folder']) {
      mkdirSync(folder, { recursive: true });
      const subject = new Subject(join(folder, 'store.db'), 'normal');
      await subject.append(30, 500);
      const [from, to] = target === 'folder' ? [folder, `${folder}-away`] : [subject.dbPath, join(folder, 'away')];
      renameSync(from, to);
      const failures = await subject.append(20, 500);
      renameSync(to, from);
      judge(`${target} moved away`, subject, failures, ['io-error']);
      await goesOn(`${target} moved away`, subject);
      rmSync(folder, { recursive: true });
    }
  }
}
