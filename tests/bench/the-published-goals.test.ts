/** What the benchmark's pages say: of each goal, whether it was reached, and what stands in the way; of each scenario, its figures. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fillIn } from '../../bench/fill-in.ts';
import { goals } from '../../bench/goals/index.ts';
import { markdown } from '../../bench/markdown.ts';
import { type Explanations, explanationOf, missedGoals } from '../../bench/missed.ts';
import { pages } from '../../bench/pages.ts';
import type { Results } from '../../bench/results.ts';
import { scenarios } from '../../bench/scenarios.ts';
import { summaryRows } from '../../bench/summary.ts';
import { goalRows } from '../../bench/table.ts';

const read = (name: string) => readFileSync(join(import.meta.dirname, '../../bench', name), 'utf8');
const results = JSON.parse(read('results.json')) as Results;
const explanations = JSON.parse(read('explanations.json')) as Explanations;
const ids = goals.map(({ id }) => id);

test('each goal is of a scenario that there is, and has an id of its own', () => {
  expect([...new Set(ids)]).toEqual(ids);
  const names = scenarios.map(({ name }) => name);
  for (const { id, scenario } of goals) expect(names, id).toContain(scenario);
});

test('each goal has a row, with what was reached, or the words that it was not measured', () => {
  const [, ...rows] = goalRows(results);
  expect(rows).toHaveLength(goals.length);
  const measured = new Set(results.goals.map(({ id }) => id));
  for (const [index, [work, goal, reached, , verdict]] of rows.entries()) {
    const id = ids[index] ?? '';
    expect([work, goal], id).toEqual([goals[index]?.work, goals[index]?.goal]);
    if (measured.has(id))
      expect([reached !== '', verdict], id).toEqual([true, expect.stringMatching(/^(met|\*\*missed\*\*)$/)]);
    else expect([reached, verdict], id).toEqual(['', 'not measured']);
  }
});

test('of a goal that no round has the figures for, the row says so', () => {
  const [first, ...others] = results.goals;
  const [, ...rows] = goalRows({ ...results, goals: others });
  expect(rows[ids.indexOf(first?.id ?? '')]).toEqual([first?.work, first?.goal, '', '', 'not measured']);
});

test('no result is of a goal that there is no more', () => {
  for (const { id } of results.goals) expect(ids).toContain(id);
});

test('each goal that is missed has an explanation', () => {
  const missed = results.goals.filter(({ met }) => !met);
  expect(missed.length).toBeGreaterThan(0);
  for (const { id } of missed) expect(explanationOf(id, explanations), id).toMatch(/\w \w/);
});

test('the pages have what is made from the results', () => {
  const page = read('README.md');
  expect(fillIn(page, 'summary', markdown(summaryRows(results)))).toBe(page);
  expect(fillIn(page, 'missed', missedGoals(results, explanations))).toBe(page);
  expect(read('results/goals.md')).toContain(markdown(goalRows(results)));
});

test('each scenario has its place on one page, whose tables have six columns at most', () => {
  for (const { title } of results.scenarios) {
    const at = pages.filter(({ name }) => read(`results/${name}.md`).includes(`## ${title}\n`));
    expect(at, title).toHaveLength(1);
  }
  for (const { name } of pages) {
    const rows = read(`results/${name}.md`).match(/^\|.*\|$/gm) ?? [];
    for (const row of rows) expect(row.split(/(?<!\\)\|/).length - 2, row).toBeLessThanOrEqual(6);
  }
});
