/** The benchmark runs and says what it measured. What the numbers are is no matter of a test. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { designs } from '../../bench/designs/index.ts';
import type { Results } from '../../bench/results.ts';
import type { Scenario } from '../../bench/scenarios.ts';
import { freshFolder } from '../support/files.ts';

const bench = join(import.meta.dirname, '../../bench');
/** Some forty processes, each with a database of its own: half a minute on a machine that does nothing else. */
const SERVER_MS = 600_000;

/** Why bench's own dependencies can't be installed, `undefined` if they are there. */
function whyNoServer(): string | undefined {
  const here = inject('postgresql');
  if ('missing' in here) return here.missing;
  return here.given === undefined
    ? undefined
    : 'the benchmark starts servers of its own, and leaves the given one alone';
}

function whyNoPeers(): string | undefined {
  try {
    const code = `const { installPeers } = await import('${join(bench, 'install.ts')}'); console.log(JSON.stringify(installPeers()))`;
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', code], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 240_000,
    });
    const missing = JSON.parse(said.trim().split('\n').at(-1) ?? '{}') as Record<string, string>;
    const why = Object.entries(missing).filter(([name]) => name !== 'better-sqlite3'); // that one is optional
    return why.length === 0 ? undefined : why.map(([name, reason]) => `${name}: ${reason}`).join('; ');
  } catch (error) {
    return (error as Error).message;
  }
}

function run(...options: string[]): { said: string; results: Results } {
  const json = join(freshFolder(), 'results.json');
  const said = execFileSync(process.execPath, [join(bench, 'main.ts'), '--quick', '--json', json, ...options], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { said, results: JSON.parse(readFileSync(json, 'utf8')) as Results };
}

/** Folders of servers that the benchmark has started. */
function serversLeft(): string[] {
  mkdirSync(join(bench, 'out'), { recursive: true });
  return readdirSync(join(bench, 'out')).filter((name) => name.startsWith('sds-pg-'));
}

function measureDesigns(chosen: readonly Scenario[]): void {
  const names = chosen.map(({ name }) => name);
  const { results } = run(...names.flatMap((name) => ['--only', name]));

  expect(results.scenarios.map(({ name }) => name)).toEqual(names);
  for (const { name, medians, leftOut, isDesign } of results.scenarios) {
    expect(leftOut, name).toEqual({});
    expect(isDesign).toBe(true);
    const { cases = [], together = false } = chosen.find((design) => design.name === name) ?? {};
    // of those that take turns in one process, only the process knows the names
    if (together) expect(Object.keys(medians).length).toBeGreaterThan(1);
    else expect(Object.keys(medians)).toEqual(cases.map((one) => one.name));
    for (const metrics of Object.values(medians)) {
      for (const value of Object.values(metrics)) expect(value, name).toBeGreaterThanOrEqual(0);
    }
  }
}

describe('the benchmark', { timeout: 240_000 }, () => {
  test('tells its options, scenarios and drivers', () => {
    const said = execFileSync(process.execPath, [join(bench, 'main.ts'), '--help'], { encoding: 'utf8' });
    expect(said).toContain('--quick');
    expect(said).toContain('burst');
    expect(said).toContain('classic-level');
  });

  test('measures some of its work and writes JSON of the promised form', ({ skip }) => {
    const why = whyNoPeers();
    if (why !== undefined) skip(`the peers that the benchmark compares with can't be installed: ${why}`);
    const { said, results } = run('--only', 'burst', '--only', 'start');

    expect(results.machine).toMatchObject({ node: process.version, sqlite: process.versions.sqlite });
    expect(results.machine.cores).toBeGreaterThan(0);
    expect(results.quick).toBe(true);
    expect(results.scenarios.map(({ name }) => name)).toEqual(['burst', 'start']);
    const [burst] = results.scenarios;
    expect(Object.keys(burst?.medians ?? {})).toEqual(
      expect.arrayContaining(['provider', 'reference', 'comlink', 'lmdb', 'classic-level', 'libsql', 'sqlite', 'copy']),
    );
    for (const { rounds, medians } of results.scenarios) {
      expect(rounds.length).toBeGreaterThan(1);
      for (const metrics of [medians, ...rounds].flatMap((round) => Object.values(round))) {
        for (const value of Object.values(metrics)) expect(value).toBeGreaterThanOrEqual(0);
      }
    }
    expect(results.goals.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['burst-main-reference', 'burst-rate-lmdb', 'burst-rate-sqlite', 'start']),
    );
    for (const { reached } of results.goals) {
      expect(reached.lowest).toBeLessThanOrEqual(reached.median);
      expect(reached.median).toBeLessThanOrEqual(reached.highest);
    }
    expect(said).toContain(results.machine.cpu);
    expect(said).toContain('this provider');
  });

  test('measures patches as they come, and awaited ones', ({ skip }) => {
    const why = whyNoPeers();
    if (why !== undefined) skip(`the peers that the benchmark compares with can't be installed: ${why}`);
    const { said, results } = run('--only', 'paced', '--only', 'awaited');

    const [paced, awaited] = results.scenarios;
    expect(Object.keys(paced?.medians ?? {})).toEqual(['provider', 'reference', 'comlink', 'lmdb', 'nothing']);
    for (const [name, metrics] of Object.entries(paced?.medians ?? {})) {
      for (const rate of [200, 1000, 5000, 20_000]) {
        // a difference of two measurements, so it may be negative
        expect(metrics[`mainUs at ${rate}`], name).toEqual(expect.any(Number));
        expect(metrics[`p999Ms at ${rate}`], name).toBeGreaterThan(0);
        if (name !== 'nothing') expect(metrics[`commitP99Ms at ${rate}`], name).toBeGreaterThan(0);
      }
    }
    expect(Object.keys(awaited?.medians ?? {})).toEqual(['provider', 'bare-worker', 'reference']);
    for (const { p50Us, 'spaced p50Us': spaced } of Object.values(awaited?.medians ?? {})) {
      expect(p50Us).toBeGreaterThan(0);
      expect(spaced).toBeGreaterThan(0);
    }
    expect(results.goals.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['paced-main-200', 'paced-p999Ms', 'paced-quiet', 'awaited-p50Us']),
    );
    expect(said).toContain('20,000');
  });

  test('measures PostgreSQL, on a server that is gone afterwards', { timeout: SERVER_MS }, ({ skip }) => {
    const why = whyNoServer();
    if (why !== undefined) skip(why);
    const before = serversLeft();
    const { results } = run(
      '--only',
      'postgresql-burst',
      '--only',
      'postgresql-paced',
      '--only',
      'postgresql-failover',
    );

    const [burst, paced, failover] = results.scenarios;
    for (const { leftOut, name } of results.scenarios) expect(leftOut, name).toEqual({});
    expect(Object.keys(burst?.medians ?? {})).toEqual(
      expect.arrayContaining(['postgresql', 'provider', 'postgresql-packed', 'postgresql-insert']),
    );
    expect(paced?.medians.postgresql?.connections).toBeGreaterThanOrEqual(1);
    expect(failover?.medians.postgresql).toMatchObject({ lost: 0 });
    expect(results.goals.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['postgresql-rate-postgresql-packed', 'postgresql-connections', 'postgresql-lost']),
    );
    expect(serversLeft()).toEqual(before);
  });

  test('measures the designs on PostgreSQL', { timeout: SERVER_MS }, ({ skip }) => {
    const why = whyNoServer();
    if (why !== undefined) skip(why);
    measureDesigns(designs.filter(({ server }) => server === true));
  });

  test('measures the designs that were tried', ({ skip }) => {
    const why = whyNoPeers();
    if (why !== undefined) skip(`the peers that the benchmark compares with can't be installed: ${why}`);
    measureDesigns(designs.filter(({ server }) => server !== true));
  });

  test('refuses a name that it does not know', () => {
    expect(() => run('--only', 'burts')).toThrow(/burts/);
  });
});
