/** How far the benchmark is: a bar on a terminal, a line a round elsewhere, both with the time it still needs. */
import { readFileSync } from 'node:fs';
import { SingleBar } from 'cli-progress';
import type { Results } from './results.ts';
import type { Scenario } from './scenarios.ts';
import { titleOf } from './table.ts';

/** Seconds that a round of each scenario took when the results were published; none if there are no results. */
function secondsThen(publishedResults: string): ReadonlyMap<string, number> {
  try {
    const { scenarios } = JSON.parse(readFileSync(publishedResults, 'utf8')) as Results;
    return new Map(scenarios.flatMap(({ name, roundSeconds }) => (roundSeconds ? [[name, roundSeconds]] : [])));
  } catch {
    return new Map(); // an estimate is not worth a failure; the progress then goes without
  }
}

function timeOf(seconds: number): string {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

export function progressOf(
  chosen: readonly Scenario[],
  roundsOf: (scenario: Scenario) => number,
  publishedResults: string | undefined,
) {
  const then: ReadonlyMap<string, number> = publishedResults === undefined ? new Map() : secondsThen(publishedResults);
  const start = performance.now();
  let scenarioNow: Scenario | undefined;
  let roundNow = 0;
  /** Before this round: what was expected until here, and what is expected from here on. */
  let before = 0;
  const expected = (scenario: Scenario) => then.get(scenario.name) ?? Number.NaN;
  const whole = chosen.reduce((sum, scenario) => sum + expected(scenario) * roundsOf(scenario), 0);

  /** As long as the published ones took, and slower or faster by as much as so far. */
  const rest = (scenario: Scenario, round: number): string => {
    if (scenario !== scenarioNow || round !== roundNow) {
      if (scenarioNow !== undefined) before += expected(scenarioNow);
      [scenarioNow, roundNow] = [scenario, round];
    }
    const passed = (performance.now() - start) / 1000;
    const speed = before > 0 ? passed / before : 1;
    const seconds = (whole - before) * speed;
    return Number.isFinite(seconds) ? `, some ${timeOf(Math.max(seconds, 0))} to go` : `, ${timeOf(passed)} so far`;
  };

  if (!process.stderr.isTTY) {
    let last = '';
    return {
      step(scenario: Scenario, round: number, _name: string) {
        const line = `${scenario.name}, round ${round} of ${roundsOf(scenario)}`;
        const words = `${line}${rest(scenario, round)}`;
        if (line !== last) console.error(words);
        last = line;
      },
      stop() {},
    };
  }
  const total = chosen.reduce((sum, scenario) => sum + scenario.cases.length * roundsOf(scenario), 0);
  const bar = new SingleBar({ format: '{bar} {value}/{total}  {name}', stream: process.stderr, hideCursor: true });
  bar.start(total, 0, { name: '' });
  return {
    step(scenario: Scenario, round: number, name: string) {
      const words = `${scenario.title}, round ${round}: ${titleOf(name)}${rest(scenario, round)}`;
      bar.increment(1, { name: words });
    },
    stop: () => bar.stop(),
  };
}
