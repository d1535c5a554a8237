/** The demo on a small session: what it prints, what it writes, what it leaves behind. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { filesBeside, freshFolder, rowsOf } from '../support/files.ts';
import { packed, runDemo } from './demo-process.ts';

const edits = 500;

test('a small run restores both sides, prints one JSON object and keeps what it was asked to keep', async () => {
  const folder = freshFolder();
  const db = join(folder, 'kept.db');
  const svg = join(folder, 'delay.svg');
  const ended = await runDemo(['--edits', String(edits), '--seed', '7', '--json', '--db', db, '--svg', svg]);
  expect(ended).toMatchObject({ code: 0 });

  // nothing else is left, no -wal and no folder of the demo's own
  expect(filesBeside(db)).toEqual(['delay.svg', 'kept.db']);
  const result = JSON.parse(ended.stdout);
  expect(result).toMatchObject({ picture: svg, database: db, session: { seed: 7, transactions: edits } });
  for (const side of ['worker', 'reference']) {
    const figures = result.sides[side];
    expect(figures).toMatchObject({ patches: edits, snapshots: 0 });
    expect(figures.restored).toMatchObject({ same: true, patches: edits, textBytes: result.session.textBytes });
    expect(figures.delay.p50).toBeLessThanOrEqual(figures.delay.p99);
    expect(figures.delay.p99).toBeLessThanOrEqual(figures.delay.max);
    expect(figures.mainThread.insideCallsUs).toBeTypeOf('number');
    expect(figures.mainThread.processorUs).toBeTypeOf('number');
    expect(figures.fileBytes).toBeGreaterThan(0);
    expect(figures.restored.ms).toBeGreaterThan(0);
  }
  expect(result.sides.reference.commits).toBe(edits);
  expect(result.sides.worker.commits).toBeLessThan(edits);

  expect(rowsOf(db).patches.map(({ clock }) => clock)).toEqual(Array.from({ length: edits }, (_, index) => index + 1));
  const picture = readFileSync(svg, 'utf8');
  expect(picture).toMatch(/^<svg /);
  for (const words of ['this package: p99', 'synchronous: p99', 'time since the session began (s)']) {
    expect(picture).toContain(words);
  }
  // a strip for each side
  expect(picture.match(/delay \(ms\)/g)).toHaveLength(2);
});

test('pictures and large values are stored, restored and told of', async () => {
  const ended = await runDemo(['--edits', '3300', '--json', '--svg', join(freshFolder(), 'delay.svg')]);
  expect(ended).toMatchObject({ code: 0 });
  const { sides } = JSON.parse(ended.stdout);
  for (const side of ['worker', 'reference']) {
    expect(sides[side]).toMatchObject({ patches: 3300, snapshots: 1, values: 1, restored: { same: true } });
    expect(sides[side].restored.snapshotBytes).toBeGreaterThan(512 * 1024);
  }
});

test('without --json it prints the table and where the picture is', async () => {
  const svg = join(freshFolder(), 'delay.svg');
  const { code, stdout, stderr } = await runDemo(['--edits', '50', '--svg', svg]);
  expect(code).toBe(0);
  for (const row of [
    'patches',
    'commits',
    'main-thread time a patch',
    'p50',
    'p99',
    'max',
    'file size',
    'restore time',
  ]) {
    expect(stdout).toMatch(new RegExp(`^.*${row}.*\\d.*\\d`, 'm'));
  }
  expect(stdout).toMatch(/^picture: .*delay\.svg$/m);
  expect(stderr).toContain('this package: playing the session');
  expect(stderr).toContain('synchronous: restoring in a fresh process');
});

test('a recorded session is replayed from its start content on, several edits to a transaction', async () => {
  const folder = freshFolder();
  const trace = join(folder, 'trace.json.gz');
  const txns = [
    {
      patches: [
        [5, 0, ' world'],
        [0, 1, 'J'],
      ],
    },
    { patches: [[0, 1, 'H']] },
    { patches: [] },
  ];
  writeFileSync(trace, packed({ startContent: 'hello', endContent: 'Hello world', txns }));
  const ended = await runDemo(['--trace', trace, '--json', '--svg', join(folder, 'delay.svg')]);
  expect(ended).toMatchObject({ code: 0 });
  const { session, sides } = JSON.parse(ended.stdout);
  // the start content is a transaction too; the empty one changes nothing, so it makes no patch
  expect(session).toMatchObject({ trace, transactions: 4, textBytes: 11 });
  expect(sides).toMatchObject({ worker: { patches: 3 }, reference: { patches: 3 } });
});

test('a recorded session in which nothing happens is restored too', async () => {
  const folder = freshFolder();
  const trace = join(folder, 'trace.json.gz');
  writeFileSync(trace, packed({ startContent: '', endContent: '', txns: [] }));
  const ended = await runDemo(['--trace', trace, '--svg', join(folder, 'delay.svg')]);
  expect(ended).toMatchObject({ code: 0 });
  expect(ended.stdout).not.toContain('NaN');
});

test('--help names every option and does nothing else', async () => {
  const { code, stdout } = await runDemo(['--help']);
  expect(code).toBe(0);
  for (const option of ['--edits', '--seed', '--trace', '--db', '--svg', '--json', '--help']) {
    expect(stdout).toContain(option);
  }
});
