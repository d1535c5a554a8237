/** What each figure of a scenario is called in a table, its unit at the end; and whether a relation to the first line says anything. */

interface Figure {
  heading: string;
  /** Whether its table shows how it compares with the first case. */
  isCompared: boolean;
}

const compared: Record<string, string> = {
  mainUs: 'main thread, µs',
  othersUs: 'other threads, µs',
  perSecond: 'committed a second',
  firstMainUs: 'first burst: main thread, µs',
  firstPerSecond: 'first burst: committed a second',
  allMainUs: 'each awaited by `Promise.all`: main thread, µs',
  p50Us: 'latency: median, µs',
  'spaced mainUs': 'one every 4 ms: main thread, µs',
  'spaced p50Us': 'one every 4 ms: latency, median, µs',
  blockedMs: 'the call blocks, ms',
  mainMs: 'main thread, ms',
  wholeMs: 'until it is done, ms',
  firstBlockedMs: 'the first call blocks, ms',
  snapshotMainMs: 'snapshot: main thread, ms',
  snapshotWholeMs: 'snapshot: until it is there, ms',
  patchesMainMs: 'patches: main thread, ms',
  patchesWholeMs: 'patches: until they are there, ms',
  firstAppendMs: 'first append acknowledged after, ms',
  wholeUs: 'until it is committed, µs',
  loadUs: 'loaded, µs',
  filledPerSecond: 'appended a second',
  'mainUs a chunk': 'a chunk: main thread, µs',
  'wholeUs a chunk': 'a chunk: until it is stored, µs',
  'mainUs a change': 'a change: main thread, µs',
  'wholeUs a change': 'a change: until it is stored, µs',
  blockedUs: 'the call blocks, µs',
  copyUs: 'copied, µs',
  firstAnswerMs: 'first answer after, ms',
  clientUs: 'client, µs',
  serverUs: 'server, µs',
  logBytes: 'write-ahead log, bytes',
  diskBytes: 'tables on disk, bytes',
  serverMs: 'server, ms',
  pruneUs: 'pruned: server, µs',
  pruneLogBytes: 'pruned: log, bytes',
  vacuumUs: 'vacuumed: server, µs',
  vacuumLogBytes: 'vacuumed: log, bytes',
  updateUs: 'update, µs',
  backupMs: '`backupDatabase`, ms',
  vacuumIntoMs: '`VACUUM INTO`, ms',
  sqliteBackupMs: "SQLite's own backup, ms",
  integrityMs: "SQLite's own check, ms",
  sha256Ms: 'SHA-256 alone, ms',
  verifyMs: '`verifyDatabase`, ms',
};

const alone: Record<string, string> = {
  closeMs: '`close()`, ms',
  p99Us: 'latency: p99, µs',
  'spaced p99Us': 'one every 4 ms: latency, p99, µs',
  p50Ms: 'event-loop delay: median, ms',
  p99Ms: 'event-loop delay: p99, ms',
  p999Ms: 'event-loop delay: p99.9, ms',
  maxMs: 'event-loop delay: longest, ms',
  delayP999Ms: 'event-loop delay: p99.9, ms',
  delayMaxMs: 'event-loop delay: longest, ms',
  turnMs: 'longest turn, ms of processor time',
  commitP50Ms: 'call to commit: median, ms',
  commitP99Ms: 'call to commit: p99, ms',
  commitMaxMs: 'call to commit: longest, ms',
  workerPercent: 'other threads, % of a core',
  quietMs: 'other threads in a second of quiet, ms',
  busyPercent: 'main thread at work, %',
  idleMiB: 'idle, MiB',
  afterBurstMiB: 'after a burst, MiB',
  peakMiB: 'at the peak, MiB',
  quietMiB: 'after 30 s of quiet, MiB',
  stateMiB: 'the documents, MiB',
  rssMiB: 'resident memory, MiB',
  heapMiB: 'heap of the main thread, MiB',
  threads: 'threads',
  openMs: 'opened in, ms',
  stored: 'stored',
  connections: 'connections',
  postgresqlVersion: 'PostgreSQL',
  acknowledged: 'acknowledged',
  found: 'found again',
  lost: 'lost',
  promotionMs: 'promotion, ms',
  promotionToCommitMs: 'promotion to the next commit, ms',
  promotionToNextMs: 'promotion to the next failover, ms',
  withoutServiceMs: 'without service, ms',
};

export function figureOf(metric: string): Figure {
  const heading = compared[metric] ?? alone[metric];
  if (heading === undefined) throw new Error(`bench/figures.ts has no words for '${metric}'`);
  return { heading, isCompared: metric in compared };
}
