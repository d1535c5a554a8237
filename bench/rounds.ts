/** Runs scenarios: in each round every case in turn, each in a process and a folder of its own. */
import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { endsWithUs } from '../tests/support/ends-with-us.ts';
import type { Order } from './child.ts';
import { described } from './drivers/index.ts';
import { BenchServer, whyNoServer } from './postgresql-server.ts';
import { mediansOf, type Round, type ScenarioResult } from './results.ts';
import { type Case, roundsOf, type Scenario } from './scenarios.ts';
import type { Metrics } from './work/work.ts';

/** No case takes nearly as long, unless its scenario says so; one that hangs must not hold up all the others. */
const PATIENCE_SECONDS = 240;

export const outFolder = join(import.meta.dirname, 'out');

/** Runs one process to its end; what it says is the metrics of a case, or a round of several. */
function runProcess<T>(
  scenario: Scenario,
  { driver, sizes, work }: Case,
  general: Record<string, number>,
  server: string | undefined,
): Promise<T> {
  mkdirSync(outFolder, { recursive: true });
  const folder = mkdtempSync(join(outFolder, 'run-'));
  const order: Order = { work: work ?? scenario.work, driver, folder, sizes: { ...general, ...sizes }, server };
  return new Promise<T>((resolve, reject) => {
    const child = fork(join(import.meta.dirname, 'child.ts'), {
      execArgv: ['--disable-warning=ExperimentalWarning', ...(scenario.nodeOptions ?? [])],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child.once('exit', endsWithUs(child.pid, 'KILL'));
    let words = '';
    child.stderr?.on('data', (text) => {
      words += text;
    });
    const { patienceSeconds = PATIENCE_SECONDS } = scenario;
    const impatience = setTimeout(() => {
      words += `no end within ${patienceSeconds} s`;
      child.kill('SIGKILL');
    }, patienceSeconds * 1000);
    let metrics: T | undefined;
    child.once('message', (message: T) => {
      metrics = message;
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(impatience);
      if (metrics !== undefined && code === 0) resolve(metrics);
      else reject(new Error(`${scenario.name} by ${driver} ended with ${signal ?? code}: ${words.trim()}`));
    });
    child.send(order);
  }).finally(() => rmSync(folder, { recursive: true, force: true }));
}

function runCase<T>(
  scenario: Scenario,
  one: Case,
  sizes: Record<string, number>,
  server: BenchServer | undefined,
): Promise<T> {
  if (server === undefined) return runProcess<T>(scenario, one, sizes, undefined);
  return server.withDatabase((url) => runProcess<T>(scenario, one, sizes, url));
}

export interface RunOptions {
  quick: boolean;
  /** Other than the scenario's own. */
  rounds: number | undefined;
  /** Why a peer can't be used, by its package name. */
  missing: Readonly<Record<string, string>>;
  /** Told before each case. */
  onStep(scenario: Scenario, round: number, name: string): void;
}

export async function runScenario(scenario: Scenario, options: RunOptions): Promise<ScenarioResult> {
  const wantsServer = scenario.server === true;
  const why = wantsServer ? whyNoServer() : undefined;
  const leftOut = why === undefined ? {} : Object.fromEntries(scenario.cases.map(({ name }) => [name, why]));
  const server = wantsServer && why === undefined ? await BenchServer.start(outFolder) : undefined;
  try {
    return await runRounds(scenario, options, leftOut, server);
  } finally {
    await server?.stop();
  }
}

async function runRounds(
  scenario: Scenario,
  options: RunOptions,
  leftOut: Record<string, string>,
  server: BenchServer | undefined,
): Promise<ScenarioResult> {
  const { sizes } = options.quick ? scenario.quick : scenario.full;
  const count = roundsOf(scenario, options.quick, options.rounds);
  const processes = options.quick ? 1 : (scenario.processes ?? 1);
  const measured: Round[] = [];
  const start = performance.now();
  for (let number = 1; number <= count; number++) {
    const round: Round = {};
    for (const one of turned(scenario.cases, number)) {
      options.onStep(scenario, number, one.name);
      const why = options.missing[described[one.driver]?.peer ?? ''] ?? leftOut[one.name];
      if (why !== undefined) {
        leftOut[one.name] = why;
        continue;
      }
      try {
        const results: Round[] = [];
        for (let run = 0; run < processes; run++) {
          results.push(
            scenario.together === true
              ? await runCase<Round>(scenario, one, sizes, server)
              : { [one.name]: await runCase<Metrics>(scenario, one, sizes, server) },
          );
        }
        Object.assign(round, mediansOf(results));
      } catch (error) {
        // the rest of the run is worth having; what failed is said beside the numbers
        leftOut[one.name] = (error as Error).message;
      }
    }
    // in the order of the scenario, whatever the order of this round
    const inOrder = scenario.cases.flatMap(({ name }) => (round[name] ? [[name, round[name]]] : []));
    measured.push(scenario.together === true ? round : Object.fromEntries(inOrder));
  }
  const { name, title, isDesign = false } = scenario;
  const roundSeconds = Math.round((performance.now() - start) / 100 / count) / 10;
  return { name, title, sizes, rounds: measured, medians: mediansOf(measured), leftOut, isDesign, roundSeconds };
}

/** Each round starts with another case: whoever comes first finds the disk at rest. */
function turned<T>(list: readonly T[], by: number): T[] {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
