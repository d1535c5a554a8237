/** docs/reliability.md has what is kept in torture/results.json, and says of which rigs nothing is. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keptFigures, pageWith } from '../../torture/figures.ts';
import { rigs } from '../../torture/rigs.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/reliability.md'), 'utf8');

/** What stands under the headings of the rigs, by name. */
function sectionsOf(text: string): Map<string, string> {
  const parts = text.split(/^### `([\w-]+)`$/m).slice(1);
  return new Map(parts.flatMap((name, index) => (index % 2 === 0 ? [[name, parts[index + 1] ?? '']] : [])));
}

test('each rig has a heading, with its figures or the words that it was not run', async () => {
  const kept = await keptFigures();
  const sections = sectionsOf(page);
  expect([...sections.keys()]).toEqual(Object.keys(rigs));
  for (const name of Object.keys(rigs)) {
    const found = kept.find((one) => one.name === name);
    const wanted = found === undefined ? '**Not run.**' : `**Promises not kept: ${found.findings.violations.length}.**`;
    expect(sections.get(name), name).toContain(wanted);
  }
});

test('a rig whose figures are gone is said to be not run', async () => {
  const [first, ...others] = await keptFigures();
  expect(sectionsOf(pageWith(page, others)).get(first?.name ?? '')).toContain('**Not run.**');
});

test('the page is the one that is made from the figures', async () => {
  expect(pageWith(page, await keptFigures())).toBe(page);
});
