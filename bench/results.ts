/** The shape of the benchmark's output, and how rounds become medians and ratios. */
import type { Goal } from './goals/goal.ts';
import { goals } from './goals/index.ts';
import type { Machine } from './machine.ts';
import { median } from './measure.ts';
import type { Metrics } from './work/work.ts';

/** What each case measured in one round. */
export type Round = Record<string, Metrics>;

export interface ScenarioResult {
  name: string;
  title: string;
  sizes: Record<string, number>;
  rounds: Round[];
  medians: Round;
  /** Why a case is missing, by case. */
  leftOut: Record<string, string>;
  /** Whether it compares designs and not drivers. */
  isDesign: boolean;
  /** How long a round took, for the next run to tell how long it will take. */
  roundSeconds?: number;
  /** What it ran on, where that is not what the others ran on. */
  measuredOn?: string;
}

export interface GoalResult {
  id: string;
  work: string;
  goal: string;
  /** Median of what the rounds gave, the lowest and the highest; in the unit of `format`. */
  reached: { median: number; lowest: number; highest: number };
  format: Goal['format'];
  target: number;
  met: boolean;
}

export interface Results {
  machine: Machine;
  quick: boolean;
  scenarios: ScenarioResult[];
  goals: GoalResult[];
}

export function mediansOf(rounds: readonly Round[]): Round {
  const medians: Round = {};
  for (const name of new Set(rounds.flatMap((round) => Object.keys(round)))) {
    const all = rounds.map((round) => round[name]).filter((metrics) => metrics !== undefined);
    const metrics: Metrics = {};
    for (const metric of new Set(all.flatMap((one) => Object.keys(one)))) {
      metrics[metric] = median(all.flatMap((one) => one[metric] ?? []));
    }
    medians[name] = metrics;
  }
  return medians;
}

/**
 * A goal is computed within each round, where the machine was as noisy for the one as for the other. One of which no round has
 * the figures has no result: the table says so.
 */
export function judge(scenarios: readonly ScenarioResult[]): GoalResult[] {
  return goals.flatMap((goal) => {
    const rounds = scenarios.find(({ name }) => name === goal.scenario)?.rounds ?? [];
    const values = rounds.flatMap((round) => {
      const value = goal.reached((name, metric) => round[name]?.[metric] ?? Number.NaN, round);
      return Number.isFinite(value) ? [value] : [];
    });
    if (values.length === 0) return [];
    const middle = median(values);
    return {
      id: goal.id,
      work: goal.work,
      goal: goal.goal,
      reached: { median: middle, lowest: Math.min(...values), highest: Math.max(...values) },
      format: goal.format,
      target: goal.target,
      met: goal.sense === 'at least' ? middle >= goal.target : middle <= goal.target,
    };
  });
}
