/**
 * A caller that never awaits: it is held, or refused, so that memory stays bounded, and every
 * patch that was accepted is stored.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { reading } from './database-rows.ts';
import { codeOf, type RigContext, scaled, withFolder, within } from './rig.ts';

const child = join(import.meta.dirname, 'children', 'flooding.ts');
const MOST_GROWTH = 150e6;

export async function run({ scale, report }: RigContext): Promise<void> {
  await withFolder(async (folder) => {
    for (const shape of ['patches', 'large', 'reads']) {
      await flood(join(folder, `${shape}.db`), scaled(800, scale, 100), shape);
    }
    await refuses(join(folder, 'refused.db'));
  });

  async function flood(dbPath: string, megabytes: number, shape: string): Promise<void> {
    const process_ = spawn(process.execPath, ['--expose-gc', child, dbPath, String(megabytes), shape], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(process_, 'exit');
    try {
      const output = await within(60_000, `a flood of ${megabytes} MB (${shape})`, text(process_.stdout));
      const { patches, checksum, grown } = JSON.parse(output) as { patches: number; checksum: number; grown: number };
      report.count('MB appended in one go', megabytes);
      report.most(`most MB that the process grew by (${shape})`, Math.round(grown / 1e6));
      if (grown > MOST_GROWTH)
        report.violation(`${megabytes} MB appended in one go (${shape}): grew by ${Math.round(grown / 1e6)} MB`);
      const found = sumOf(dbPath);
      if (found.count !== patches) report.violation(`${shape}: ${patches} patches appended, ${found.count} there`);
      if (found.checksum !== checksum) report.violation(`${shape}: another checksum`);
    } catch (error) {
      process_.kill('SIGKILL');
      report.violation(String(error));
    }
    await ended;
  }

  /** `Overflow: 'reject'`: some are refused with `queue-full`, all others are stored. */
  async function refuses(dbPath: string): Promise<void> {
    const provider = new SDS_DesktopPersistenceProvider(dbPath, 'refused', {
      Overflow: 'reject',
      MaxPendingBytes: 1024 * 1024,
      BusyTimeoutMs: 60_000,
    });
    await provider.ready();
    const holder = new DatabaseSync(dbPath);
    holder.exec('BEGIN IMMEDIATE'); // the worker may be as fast as this thread: then nothing would be refused
    const promises: Promise<unknown>[] = [];
    for (let clock = 1; clock <= 5000; clock++) {
      const length = clock % 500 === 0 ? 200_000 : 2000;
      promises.push(provider.appendPatch(new Uint8Array(length).fill(clock), clock));
    }
    holder.close();
    const outcomes = await within(60_000, 'a refused flood', Promise.allSettled(promises));
    const accepted: number[] = [];
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome.status === 'fulfilled') accepted.push(i + 1);
      else if (codeOf(outcome.reason) !== 'queue-full') report.violation(`refused with ${String(outcome.reason)}`);
    }
    report.count('patches refused with queue-full', outcomes.length - accepted.length);
    if (accepted.length === outcomes.length) report.violation('nothing was refused');
    const stored = reading(dbPath, (database) => database.prepare('SELECT clock FROM patches ORDER BY clock').all());
    const same = stored.length === accepted.length && stored.every(({ clock }, i) => clock === accepted[i]);
    if (!same) report.violation(`${accepted.length} patches were accepted, ${stored.length} are there`);
    await provider.appendPatch(new Uint8Array(1), 10_000);
    await provider.close();
  }
}

function sumOf(dbPath: string): { count: number; checksum: number } {
  return reading(dbPath, (database) => {
    let count = 0;
    let checksum = 0;
    for (const { head } of database.prepare('SELECT substr(data, 1, 8) AS head FROM patches').iterate()) {
      const bytes = Buffer.from(head as Uint8Array);
      count++;
      checksum = (checksum + bytes.readUInt32LE(4)) >>> 0;
    }
    return { count, checksum };
  });
}
