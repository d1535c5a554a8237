/** Runs the benchmark in its quick form, once for all tests of a file: most of its time is that of starting processes. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Results } from '../../bench/results.ts';
import type { Scenario } from '../../bench/scenarios.ts';

export const bench = join(import.meta.dirname, '../../bench');

const optional = ['better-sqlite3', '@hocuspocus/extension-sqlite'];

/** Why bench's own dependencies can't be installed, `undefined` if they are there. */
export function whyNoPeers(): string | undefined {
  try {
    const code = `const { installPeers } = await import('${join(bench, 'install.ts')}'); console.log(JSON.stringify(installPeers()))`;
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', code], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 600_000,
    });
    const missing = JSON.parse(said.trim().split('\n').at(-1) ?? '{}') as Record<string, string>;
    const why = Object.entries(missing).filter(([name]) => !optional.includes(name));
    return why.length === 0 ? undefined : why.map(([name, reason]) => `${name}: ${reason}`).join('; ');
  } catch (error) {
    return (error as Error).message;
  }
}

export function run(...options: string[]): { said: string; results: Results } {
  const folder = mkdtempSync(join(tmpdir(), 'sds-'));
  try {
    const json = join(folder, 'results.json');
    const said = execFileSync(process.execPath, [join(bench, 'main.ts'), '--quick', '--json', json, ...options], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return { said, results: JSON.parse(readFileSync(json, 'utf8')) as Results };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Each way of a design is a process of its own: those with no more than these are run, so that most kinds of work are. */
export const FEW_WAYS = 4;

/** Runs designs, and looks whether each of their ways was measured. */
export function measureDesigns(chosen: readonly Scenario[]): void {
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
