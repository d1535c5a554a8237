/** Goals for traffic as it comes, and for one awaited call at a time. */
import { RATES } from '../work/paced.ts';
import type { Goal } from './goal.ts';

/** Less than this, in µs of the main thread a patch, can't be told from nothing. */
export const LEAST_NOTICEABLE_US = 0.1;

export const pacedGoals: Goal[] = [
  { rate: 1000, target: 5 },
  { rate: 5000, target: 10 },
  { rate: 20_000, target: 10 },
  { rate: 200, target: 3 },
].map(({ rate, target }) => ({
  id: `paced-main-${rate}`,
  scenario: 'paced',
  work: `as they come, ${rate.toLocaleString('en-US')} patches a second: main-thread time a patch`,
  goal: `1/${target} of the synchronous reference`,
  reached: (of) =>
    of('reference', `mainUs at ${rate}`) / Math.max(of('provider', `mainUs at ${rate}`), LEAST_NOTICEABLE_US),
  sense: 'at least',
  target,
  format: 'fraction',
}));
pacedGoals.push(
  {
    id: 'paced-p999Ms',
    scenario: 'paced',
    work: 'as they come, at the worst of these rates: event-loop delay, p99.9',
    goal: 'within 0.5 ms of the program that stores nothing',
    reached: (of) =>
      Math.max(...RATES.map((rate) => of('provider', `p999Ms at ${rate}`) - of('nothing', `p999Ms at ${rate}`))),
    sense: 'at most',
    target: 0.5,
    format: 'ms',
  },
  {
    id: 'paced-commit',
    scenario: 'paced',
    work: 'as they come, at the worst of these rates: from call to commit, p99',
    goal: 'within 5 ms',
    reached: (of) => Math.max(...RATES.map((rate) => of('provider', `commitP99Ms at ${rate}`))),
    sense: 'at most',
    target: 5,
    format: 'ms',
  },
  {
    id: 'paced-worker',
    scenario: 'paced',
    work: "as they come, 200 patches a second: the worker's processor time",
    goal: 'under 3% of a core',
    reached: (of) => of('provider', 'workerPercent at 200'),
    sense: 'at most',
    target: 3,
    format: 'percent',
  },
  {
    id: 'paced-quiet',
    scenario: 'paced',
    work: "the worker's processor time in a second after a second of quiet",
    goal: '0 (under 0.5 ms, as much as can be told from the program that stores nothing)',
    reached: (of) => of('provider', 'quietMs') - of('nothing', 'quietMs'),
    sense: 'at most',
    target: 0.5,
    format: 'ms',
  },
);

export const awaitedGoals: Goal[] = [
  { metric: 'p50Us', work: 'one awaited at a time, back to back: latency (median)' },
  { metric: 'mainUs', work: 'one awaited at a time, back to back: main-thread time' },
  { metric: 'spaced p50Us', work: 'one awaited every 4 ms: latency (median)' },
].map(({ metric, work }) => ({
  id: `awaited-${metric}`,
  scenario: 'awaited',
  work,
  goal: 'not above a bare worker that does nothing else',
  reached: (of) => of('provider', metric) / of('bare-worker', metric),
  sense: 'at most',
  target: 1,
  format: 'times',
}));
