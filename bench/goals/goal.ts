/** What a goal is: a number that is computed within one round. */
import type { Metrics } from '../work/work.ts';

/** A metric of a case in the round. */
export type Of = (name: string, metric: string) => number;

export interface Goal {
  id: string;
  scenario: string;
  /** The piece of work and the goal in words. */
  work: string;
  goal: string;
  reached(of: Of, round: Record<string, Metrics>): number;
  sense: 'at least' | 'at most';
  target: number;
  /** A ratio, a fraction (1/n), milliseconds, a share of a core, memory, or a number of things. */
  format: 'times' | 'fraction' | 'ms' | 'percent' | 'MB' | 'count';
}
