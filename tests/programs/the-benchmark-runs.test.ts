/** The benchmark runs and says what it measured. What the numbers are is no matter of a test. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { mechanisms } from '../../bench/drivers/mechanisms.ts';
import type { Results } from '../../bench/results.ts';
import { bench, run, whyNoPeers } from './quick-run.ts';

const measured = ['burst', 'start', 'paced', 'awaited', 'mechanisms-burst'];

describe('the benchmark', { timeout: 600_000 }, () => {
  const why = whyNoPeers();
  let said: string;
  let results: Results;
  /** What there is of a scenario. */
  const resultsOf = (...names: string[]) => results.scenarios.filter(({ name }) => names.includes(name));

  beforeAll(() => {
    ({ said, results } = run('--rounds', '1', ...measured.flatMap((name) => ['--only', name])));
  }, 600_000);

  test('tells its options, scenarios and drivers', () => {
    const help = execFileSync(process.execPath, [join(bench, 'main.ts'), '--help'], { encoding: 'utf8' });
    expect(help).toContain('--quick');
    expect(help).toContain('burst');
    expect(help).toContain('classic-level');
  });

  test('measures some of its work and writes JSON of the promised form', ({ skip }) => {
    if (why !== undefined) skip(`the peers that the benchmark compares with can't be installed: ${why}`);
    expect(results.machine).toMatchObject({ node: process.version, sqlite: process.versions.sqlite });
    expect(results.machine.cores).toBeGreaterThan(0);
    expect(results.quick).toBe(true);
    expect(results.scenarios.map(({ name }) => name).sort()).toEqual(measured.toSorted());
    const [burst] = resultsOf('burst');
    expect(Object.keys(burst?.medians ?? {})).toEqual(
      expect.arrayContaining(['provider', 'reference', 'comlink', 'lmdb', 'classic-level', 'libsql', 'sqlite', 'copy']),
    );
    for (const { rounds, medians } of resultsOf('burst', 'start')) {
      expect(rounds).toHaveLength(1);
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
    if (why !== undefined) skip(`the peers that the benchmark compares with can't be installed: ${why}`);
    const [paced, awaited] = resultsOf('paced', 'awaited');
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

  test('measures the provider with each of its mechanisms off in turn', () => {
    const off = resultsOf('mechanisms-burst');
    expect(off).toHaveLength(1);
    for (const { medians, leftOut } of off) {
      // of a mechanism whose line was not found in the source
      expect(leftOut).toEqual({});
      expect(Object.keys(medians)).toEqual(['provider', ...Object.keys(mechanisms)]);
    }
  });

  test('refuses a name that it does not know', () => {
    expect(() => run('--only', 'burts')).toThrow(/burts/);
  });
});
