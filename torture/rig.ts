/** What a rig is: something that breaks the package on purpose, counts what it tried, and notes every promise that was not kept. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Collects what a rig tried and what happened. */
export interface Report {
  /** Adds to a figure of the table. */
  count(what: string, times?: number): void;
  /** Keeps the largest value of a figure. */
  most(what: string, value: number): void;
  /** A promise that was not kept: the run fails. */
  violation(what: string): void;
  /** Why (a part of) the rig can't run here. */
  skip(reason: string): void;
}

export interface RigContext {
  /** Determines every random choice of the rig. */
  seed: number;
  /** 1 is the whole; the ordinary suite runs small fractions. */
  scale: number;
  report: Report;
}

export type Rig = (context: RigContext) => Promise<void>;

export interface Findings {
  counts: Record<string, number>;
  violations: string[];
  skipped: string[];
}

/** More would only repeat the first ones. */
const MOST_VIOLATIONS = 20;

/** Runs a rig in this process and returns what it found. */
export async function findingsOf(rig: Rig, seed: number, scale: number): Promise<Findings> {
  const findings: Findings = { counts: {}, violations: [], skipped: [] };
  const { counts, violations, skipped } = findings;
  const report: Report = {
    count(what, times = 1) {
      counts[what] = (counts[what] ?? 0) + times;
    },
    most(what, value) {
      counts[what] = Math.max(counts[what] ?? 0, value);
    },
    violation(what) {
      if (violations.length < MOST_VIOLATIONS) violations.push(what);
      else violations[MOST_VIOLATIONS] = '(and more)';
    },
    skip(reason) {
      if (!skipped.includes(reason)) skipped.push(reason);
    },
  };
  try {
    await rig({ seed, scale, report });
  } catch (error) {
    report.violation(`seed ${seed}: ${(error as Error).stack ?? String(error)}`);
  }
  return findings;
}

/** Runs `body` with a folder of its own, which is gone afterwards. */
export async function withFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'sds-torture-'));
  try {
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How often to do what the whole run does `times` times. */
export function scaled(times: number, scale: number, least = 1): number {
  return Math.max(least, Math.round(times * scale));
}

/** Rejects if a promise is not settled in time: a hang is a violation, not a run that never ends. */
export function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? error);
}
