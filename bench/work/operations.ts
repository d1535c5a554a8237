/**
 * Operations on a large file: how long each takes by itself, beside `cp` and SQLite's own check; and what is left of
 * another file's traffic while they run, one after the other. The driver is there to be measured by none other.
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { backupDatabase, compactDatabase, SDS_DesktopPersistenceProvider, verifyDatabase } from '../../dist/index.js';
import { patchesOf } from '../measure.ts';
import type { Metrics, Work } from './work.ts';

const PACED_PER_SECOND = 10_000;
const BURST = 500;

export const operations: Work = async ({ folder, sizes }) => {
  const { values = 100, valueBytes = 2000, seconds = 1 } = sizes;
  const large = join(folder, 'large.db');
  const target = join(folder, 'target.db');
  make(large, values, valueBytes);
  const metrics: Metrics = {};
  const timed = async (name: string, work: () => unknown) => {
    const start = performance.now();
    await work();
    metrics[name] = performance.now() - start;
    rmSync(target, { force: true });
  };
  await timed('warmMs', () => execFileSync('cp', [large, target]));
  await timed('cpMs', () => execFileSync('cp', [large, target]));
  await timed('cpSyncMs', () => {
    execFileSync('cp', [large, target]);
    execFileSync('sync', [target]);
  });
  await timed('backupMs', () => backupDatabase(large, target));
  await timed('integrityMs', () => checkAlone(large));
  await timed('sha256Ms', () => hashAlone(values, valueBytes));
  let toldAt = performance.now();
  let silentMs = 0;
  await timed('verifyMs', () =>
    verifyDatabase(large, {
      OnProgress() {
        silentMs = Math.max(silentMs, performance.now() - toldAt);
        toldAt = performance.now();
      },
    }),
  );
  metrics.silentMs = silentMs;
  const works: [string, () => Promise<unknown>][] = [
    ['backup', () => backupDatabase(large, target, { Overwrite: true })],
    ['verify', () => verifyDatabase(large)],
    ['compact', () => compactDatabase(large)],
  ];
  const provider = new SDS_DesktopPersistenceProvider(join(folder, 'traffic.db'), 'store');
  await provider.ready();
  const traffic = new Traffic(provider);
  await traffic.paced(seconds * 500);
  const length = seconds * 1000;
  metrics.aloneP999Ms = await traffic.paced(length);
  metrics.alonePerSecond = await traffic.saturated(length);
  for (const [name, work] of works) {
    for (const [metric, measure] of [
      [`${name}P999Ms`, () => traffic.paced(length)],
      [`${name}PerSecond`, () => traffic.saturated(length)],
    ] as const) {
      const control = { stopped: false };
      const repeated = (async () => {
        while (!control.stopped) await work();
      })();
      metrics[metric] = await measure();
      control.stopped = true;
      await repeated;
    }
  }
  await provider.close();
  return metrics;
};

class Traffic {
  readonly #provider: SDS_DesktopPersistenceProvider;
  readonly #patches = patchesOf(200, 1024);
  #clock = 0;

  constructor(provider: SDS_DesktopPersistenceProvider) {
    this.#provider = provider;
  }

  #append(): Promise<void> {
    this.#clock++;
    return this.#provider.appendPatch(this.#patches[this.#clock % 1024] as Uint8Array, this.#clock);
  }

  /** How late timers become at a fixed rate: the 99.9th percentile. */
  async paced(lengthMs: number): Promise<number> {
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    histogram.enable();
    const start = performance.now();
    let last: Promise<void> | undefined;
    for (let sent = 0, now = start; now - start < lengthMs; now = performance.now()) {
      for (; sent < ((now - start) * PACED_PER_SECOND) / 1000; sent++) last = this.#append();
      await pause(1);
    }
    histogram.disable();
    await last;
    return histogram.percentile(99.9) / 1e6;
  }

  /** Commits a second, one burst after the other. */
  async saturated(lengthMs: number): Promise<number> {
    const start = performance.now();
    let done = 0;
    while (performance.now() - start < lengthMs) {
      let last: Promise<void> | undefined;
      for (let i = 0; i < BURST; i++) last = this.#append();
      await last;
      done += BURST;
    }
    return (done / (performance.now() - start)) * 1000;
  }
}

function make(path: string, values: number, valueBytes: number): void {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
    CREATE TABLE snapshots (store_id TEXT PRIMARY KEY, data BLOB NOT NULL, clock INTEGER NOT NULL);
    CREATE TABLE patches (store_id TEXT NOT NULL, clock INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store_id, clock));
    CREATE TABLE blobs (hash TEXT PRIMARY KEY, data BLOB NOT NULL, ref_count INTEGER NOT NULL DEFAULT 0)`);
  const insert = database.prepare('INSERT INTO blobs VALUES (?, ?, 1)');
  const bytes = new Uint8Array(valueBytes);
  for (let i = 0; i < values; ) {
    database.exec('BEGIN');
    for (const end = Math.min(i + 5000, values); i < end; i++) {
      randomFillSync(bytes, 0, Math.min(valueBytes, 32));
      insert.run(createHash('sha256').update(bytes).digest('hex'), bytes);
    }
    database.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)');
  }
  database.close();
}

function checkAlone(path: string): void {
  const database = new DatabaseSync(path);
  database.prepare('PRAGMA integrity_check').all();
  database.close();
}

function hashAlone(values: number, valueBytes: number): void {
  const bytes = new Uint8Array(valueBytes);
  for (let i = 0; i < values; i++) createHash('sha256').update(bytes).digest('hex');
}
