/** `npm run bench`: runs the benchmark, prints tables, and writes JSON and a picture. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { designs } from './designs/index.ts';
import { described } from './drivers/index.ts';
import { goals } from './goals/index.ts';
import { installPeers } from './install.ts';
import { describeMachine, machineLine } from './machine.ts';
import { drawPacedPicture } from './paced-picture.ts';
import { drawPicture } from './picture.ts';
import { progressOf } from './progress.ts';
import { publish, publishedResults } from './publish.ts';
import { judge, type Results } from './results.ts';
import { outFolder, runScenario } from './rounds.ts';
import { roundsOf, type Scenario, scenarios as works } from './scenarios.ts';
import { goalRows, plain, tablesOf } from './table.ts';

const scenarios = [...works, ...designs];

const help = `npm run bench -- [options]

  --quick         small sizes, one or two rounds: shows that it runs, says little
  --only NAME     only this scenario or driver (may be repeated); a driver is run beside the provider
  --rounds N      another number of rounds than the scenario's own; growth and designs always have one
  --json FILE     where the results go besides bench/out/results.json
  --svg FILE      where the picture of the burst goes besides bench/out/benchmark.svg
  --publish       take the results into bench/README.md, bench/results, bench/results.json, README.md and docs/;
                  with --only, the others stay as they are
  --help          this

scenarios: ${works.map(({ name }) => name).join(', ')}
designs:   ${designs.map(({ name }) => name).join(', ')}
drivers:   ${Object.keys(described).join(', ')}
`;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string' },
    json: { type: 'string' },
    svg: { type: 'string' },
    publish: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const rounds = options.rounds === undefined ? undefined : Math.max(Math.trunc(Number(options.rounds)) || 1, 1);

/** Scenarios that are named, or all; of them the drivers that are named, with the provider, or all. */
function choose(only: readonly string[]): Scenario[] {
  const isNamed = ({ name, family }: Scenario) => only.includes(name) || only.includes(family ?? '');
  const unknown = only.filter(
    (one) => !(one in described) && !scenarios.some(({ name, family }) => name === one || family === one),
  );
  if (unknown.length > 0) throw new Error(`there is no scenario or driver ${unknown.join(', ')}; see --help`);
  const named = scenarios.filter(isNamed);
  // `postgresql` is a driver, and a family of scenarios: then the family is meant
  const driversNamed = only.filter((one) => one in described && !scenarios.some(({ family }) => family === one));
  const chosen = named.length > 0 ? named : scenarios;
  if (driversNamed.length === 0) return chosen;
  return chosen
    .filter(({ cases, isDesign }) => !isDesign && cases.some(({ driver }) => driversNamed.includes(driver)))
    .map((scenario) => ({
      ...scenario,
      cases: scenario.cases.filter(({ driver }) => driver.startsWith('provider') || driversNamed.includes(driver)),
    }));
}

/** With `--only`, what was published of the other scenarios stays, and says so if it was measured elsewhere or another day. */
function renew(results: Results): Results {
  if (options.only.length === 0) return results;
  const published = JSON.parse(readFileSync(publishedResults, 'utf8')) as Results;
  const then = machineLine(published.machine);
  const now = machineLine(results.machine);
  const older = published.scenarios.map((scenario) => (then === now ? scenario : { measuredOn: then, ...scenario }));
  const wanted = new Map([...older, ...results.scenarios].map((scenario) => [scenario.name, scenario]));
  const all = scenarios.flatMap(({ name }) => wanted.get(name) ?? []);
  return { ...results, scenarios: all, goals: judge(all) };
}

async function main(): Promise<void> {
  if (process.threadCpuUsage === undefined) throw new Error('the benchmark needs Node 22.19 or later');
  const chosen = choose(options.only);
  if (options.publish && chosen.some((scenario) => !scenarios.includes(scenario)))
    throw new Error('a scenario is published as a whole: name scenarios, not drivers');
  const missing = installPeers();
  mkdirSync(outFolder, { recursive: true });
  const results: Results = { machine: describeMachine(outFolder), quick: options.quick, scenarios: [], goals: [] };
  console.log(machineLine(results.machine));
  for (const [name, why] of Object.entries(missing)) console.log(`without ${name}: ${why}`);
  const progress = progressOf(
    chosen,
    (scenario) => roundsOf(scenario, options.quick, rounds),
    options.quick ? undefined : publishedResults,
  );
  try {
    for (const scenario of chosen) {
      const onStep = progress.step;
      results.scenarios.push(await runScenario(scenario, { quick: options.quick, rounds, missing, onStep }));
    }
  } finally {
    progress.stop();
  }
  results.goals = judge(results.scenarios);
  for (const scenario of results.scenarios) {
    console.log(`\n${scenario.title} (medians; in brackets the ratio to the first, within a round)\n`);
    console.log(tablesOf(scenario).map(plain).join('\n\n'));
    for (const [name, why] of Object.entries(scenario.leftOut)) console.log(`without ${name}: ${why}`);
  }
  const asked = goals.filter(({ scenario }) => chosen.some(({ name }) => name === scenario));
  if (asked.length > 0) console.log(`\n${plain(goalRows(results, asked))}`);

  const jsonFile = join(outFolder, 'results.json');
  writeFileSync(jsonFile, `${JSON.stringify(results, undefined, 2)}\n`);
  if (options.json !== undefined) copyFileSync(jsonFile, options.json);
  const paced = drawPacedPicture(results);
  if (paced !== undefined) writeFileSync(join(outFolder, 'paced.svg'), paced);
  const picture = drawPicture(results);
  if (picture !== undefined) {
    writeFileSync(join(outFolder, 'benchmark.svg'), picture);
    if (options.svg !== undefined) writeFileSync(options.svg, picture);
  }
  if (options.publish) {
    writeFileSync(publishedResults, `${JSON.stringify(renew(results), undefined, 2)}\n`);
    publish(publishedResults);
  }
}

// between two events, so never while a process is started and not yet bound to this one's end
for (const [signal, code] of [['SIGINT', 130] as const, ['SIGTERM', 143] as const]) {
  process.once(signal, () => process.exit(code));
}
if (options.help) console.log(help);
else {
  try {
    await main();
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
