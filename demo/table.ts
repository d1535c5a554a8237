/** Prints the two sides as a table, and what its figures mean. */
import type { SideResult } from './run-side.ts';
import { type Side, sides, sideTitles } from './sides.ts';

type Results = Readonly<Record<Side, SideResult>>;

const rows: readonly (readonly [title: string, value: (result: SideResult) => string])[] = [
  ['patches', ({ patches }) => count(patches)],
  ['commits', ({ commits }) => count(commits)],
  ['snapshots, each with a prune', ({ snapshots }) => count(snapshots)],
  ['large values', ({ values }) => count(values)],
  ['main-thread time a patch', ({ mainThread }) => microseconds(mainThread.processorUs)],
  ['time inside the calls, a patch', ({ mainThread }) => microseconds(mainThread.insideCallsUs)],
  ['event-loop delay, p50', ({ delay }) => milliseconds(delay.p50)],
  ['event-loop delay, p99', ({ delay }) => milliseconds(delay.p99)],
  ['event-loop delay, max', ({ delay }) => milliseconds(delay.max)],
  ['  p99 before, with nothing to do', ({ idleDelay }) => milliseconds(idleDelay.p99)],
  ['file size', ({ fileBytes }) => `${count(Math.round(fileBytes / 1024))} KB`],
  ['restore time', ({ restored }) => milliseconds(restored.ms)],
  ['restored, byte for byte', ({ restored }) => (restored.same ? 'the same' : 'DIFFERENT')],
];

export function printTable(results: Results): string {
  const cells = [
    ['', ...sides.map((side) => sideTitles[side])],
    ...rows.map(([title, value]) => [title, ...sides.map((side) => value(results[side]))]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('   '),
  );
  lines.splice(1, 0, '-'.repeat(lines[0]?.length ?? 0));
  return lines.join('\n');
}

/** What is counted, and why the two sides can be compared. */
export function printNotes({ worker, reference }: Results): string {
  const encode = milliseconds(Math.max(worker.longestEncodeMs, reference.longestEncodeMs));
  const snapshots = worker.snapshots > 0 ? `, making snapshots included (up to ${encode} each)` : '';
  return `Both sides get the same edits at the same times, each in a process of its own, some hundreds of times
faster than a person types.
  commits           distinct promises of appendPatch; patches that are committed together share one
  main-thread time  the same calls once more, without the document: processor time of the main thread
                    until all is committed, snapshots and large values included, less what the same
                    turns take without a provider
  time inside       the clock's time in those calls: waiting for the disk is in it, settling promises is not
  event-loop delay  how much too late a piece of work runs, with one due a millisecond after the other;
                    Yjs works on the main thread on both sides${snapshots}
  before            the machine's own share: the delay in half a second without any work
  file size         after closing
  restore time      in a fresh process, from opening the file to the finished document`;
}

function count(value: number): string {
  return value.toLocaleString('en');
}

function microseconds(value: number | undefined): string {
  return value === undefined ? '(needs Node 22.19)' : `${value.toFixed(1)} µs`;
}

function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`;
}
