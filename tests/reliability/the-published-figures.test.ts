/** docs/reliability.md has what is kept in torture/results.json, and says of which rigs nothing is. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keptFigures, pageWith } from '../../torture/figures.ts';
import { rigs } from '../../torture/rigs.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/reliability.md'), 'utf8');

/** The cells of the table's rows, by what was broken. */
function rowsOf(text: string): Map<string, string[]> {
  const lines = text.split('\n').filter((line) => line.startsWith('| '));
  return new Map(
    lines.map((line) => {
      const [what = '', ...cells] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      return [what, cells];
    }),
  );
}

test('each rig has a row, with its figures or the words that it was not run', async () => {
  const kept = await keptFigures();
  const rows = rowsOf(page);
  for (const [name, { what }] of Object.entries(rigs)) {
    const found = kept.find((one) => one.name === name);
    const row = rows.get(found?.what ?? what);
    expect(row, name).toBeDefined();
    if (found === undefined) expect(row, name).toEqual(['**not run**', '', '', '']);
    else expect(row?.[1], name).toBe(String(found.findings.violations.length));
  }
});

test('a rig whose figures are gone is said to be not run', async () => {
  const [first, ...others] = await keptFigures();
  const rows = rowsOf(pageWith(page, others));
  expect(rows.get(first?.what ?? '')).toEqual(['**not run**', '', '', '']);
});

test('the page is the one that is made from the figures', async () => {
  expect(pageWith(page, await keptFigures())).toBe(page);
});
