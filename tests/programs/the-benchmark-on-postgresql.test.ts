/** The benchmark measures PostgreSQL on servers of its own, and leaves none behind. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { designs } from '../../bench/designs/index.ts';
import { bench, FEW_WAYS, measureDesigns, run } from './quick-run.ts';

/** Some twenty processes, each with a database of its own: a quarter of a minute on a machine that does nothing else. */
const SERVER_MS = 600_000;

/** Why there is no server to measure, `undefined` if there can be one. */
function whyNoServer(): string | undefined {
  const here = inject('postgresql');
  if ('missing' in here) return here.missing;
  return 'pristine' in here ? undefined : 'the benchmark starts servers of its own, and leaves the given one alone';
}

/** Folders of servers that the benchmark has started. */
function serversLeft(): string[] {
  mkdirSync(join(bench, 'out'), { recursive: true });
  return readdirSync(join(bench, 'out')).filter((name) => name.startsWith('sds-pg-'));
}

describe('the benchmark, on PostgreSQL', { timeout: SERVER_MS }, () => {
  test('measures PostgreSQL, on a server that is gone afterwards', ({ skip }) => {
    const why = whyNoServer();
    if (why !== undefined) skip(why);
    const before = serversLeft();
    const { results } = run(
      '--rounds',
      '1',
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

  test('measures some of the designs on PostgreSQL', ({ skip }) => {
    const why = whyNoServer();
    if (why !== undefined) skip(why);
    measureDesigns(designs.filter(({ server, cases }) => server === true && cases.length <= FEW_WAYS));
  });
});
