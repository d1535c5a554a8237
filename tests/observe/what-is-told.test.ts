/** Figures of a provider, and what is told on channels, in the order of what happens. */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, vi } from 'vitest';
import { freshFile, freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { lockUntilBlocked } from '../support/once-blocked.ts';
import { runProgram } from '../support/programs.ts';
import { afterQuiet, told, traced } from './listening.ts';

it('figures: patches and bytes from the call to the commit', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  for (let clock = 1; clock <= 1000; clock++) void provider.appendPatch(new Uint8Array(100), clock);
  const before = provider.statistics();
  expect(before.Patches.Appended).toBe(1000);
  expect(before.Patches.Pending + before.Patches.Committed).toBe(1000);
  await provider.appendPatch(new Uint8Array(500_000), 1001);
  const after = provider.statistics();
  expect(after.Patches).toEqual({ Appended: 1001, Pending: 0, Committed: 1001, Failed: 0 });
  expect(after.PatchBytes).toEqual({ Appended: 600_000, Pending: 0, Committed: 600_000, Failed: 0 });
  expect(after).toMatchObject({
    Path: file,
    StoreId: 'store',
    ClockCollisions: 0,
    Held: { Calls: 0, DurationMs: 0 },
  });
  expect(after.Batches.Finished).toBeGreaterThanOrEqual(2);
  const { P50, P99, Max } = after.CommitDelayMs;
  expect(P50).toBeGreaterThan(0);
  expect([P50, P99, Max]).toEqual([P50, P99, Max].sort((a, b) => a - b));
  expect(after.FileBytes + after.LogBytes).toBeGreaterThan(600_000);
  expect(after.Worker.SharedBytes).toBeGreaterThan(8 * 1024 * 1024);
  expect(after.Worker.PendingBytes).toBe(0);
});

it('figures: a batch counts as waited for if somebody listens for its success, not for its failure alone', async () => {
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
  await provider.ready();
  const failures: unknown[] = [];
  provider.appendPatch(patchOf(1), 1).catch((failure) => failures.push(failure));
  provider.flushSync();
  expect(provider.statistics().Batches).toEqual({ Finished: 1, Failed: 0, WaitedFor: 0 });
  await provider.appendPatch(patchOf(2), 2);
  expect(provider.statistics().Batches).toEqual({ Finished: 2, Failed: 0, WaitedFor: 1 });
  expect(failures).toEqual([]);
});

it('figures: calls that were held, collisions, checkpoints', async () => {
  const file = freshFile();
  const options = { MaxPendingBytes: 1, BusyTimeoutMs: 60_000 };
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store', options);
  await provider.ready();
  lockUntilBlocked(file);
  for (let clock = 1; clock <= 200; clock++) void provider.appendPatch(new Uint8Array(30_000), clock);
  void provider.appendPatch(patchOf('other'), 1);
  await provider.flush();
  const { Held, ClockCollisions } = provider.statistics();
  expect(Held.Calls).toBeGreaterThan(0);
  expect(Held.DurationMs).toBeGreaterThan(0);
  expect(ClockCollisions).toBe(1);
  // 6 MB in the log are taken into the file as soon as there is nothing else to do
  while (provider.statistics().Worker.Checkpoints === 0) await afterQuiet(provider);
  expect(provider.statistics().Worker.CheckpointMs).toBeGreaterThan(0);
});

it('calls: each begins, ends, and says what it was about', async () => {
  const opens = traced('open');
  const commits = traced('commit');
  const loads = traced('load');
  const backups = traced('backup');
  const file = freshFile();
  const target = join(freshFolder(), 'backup.db');
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.ready();
  await Promise.all([provider.appendPatch(patchOf(1), 1), provider.appendPatch(patchOf(2), 2)]);
  await provider.loadPatchesSince(0);
  const { Bytes } = await provider.backup(target);
  const once = ['start', 'end', 'asyncStart', 'asyncEnd'];
  for (const { events } of [opens, loads, backups]) expect(events).toEqual(once);
  expect(opens.contexts[0]).toEqual({ Path: file, StoreId: 'store' });
  // the worker may begin with the first while the second is called: then there are two batches
  for (const event of once) expect(commits.events.filter((one) => one === event)).toHaveLength(commits.contexts.length);
  const sum = (key: string) => commits.contexts.reduce((total, context) => total + Number(context[key]), 0);
  expect([sum('Patches'), sum('Bytes')]).toEqual([2, 14]);
  expect(commits.contexts[0]).toMatchObject({ Path: file });
  expect(loads.contexts[0]).toEqual({ Path: file, Call: 'loadPatchesSince' });
  expect(backups.contexts[0]).toEqual({ Path: file, TargetPath: target, Bytes });
  expect(rowsOf(target).patches).toHaveLength(2);
});

it('calls that fail have an error, and what an operator should hear of is told besides', async () => {
  const loads = traced('load');
  const [gone, collisions] = [told('file-gone'), told('collision')];
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.appendPatch(patchOf(1), 1);
  await provider.appendPatch(patchOf(2), 1);
  expect(collisions).toEqual([{ Path: file, StoreId: 'store', ClockCollisions: 1 }]);
  renameSync(file, `${file}.away`);
  await expect(provider.loadSnapshot()).rejects.toMatchObject({ code: 'io-error' });
  expect(loads.events).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
  expect(loads.contexts[0]).toMatchObject({ error: { code: 'io-error' } });
  expect(gone).toEqual([{ Path: file }]);
  renameSync(`${file}.away`, file);
});

it('a backup of a database in memory is refused', async () => {
  await using provider = new SDS_DesktopPersistenceProvider(':memory:', 'store');
  const target = join(freshFolder(), 'backup.db');
  await expect(provider.backup(target)).rejects.toMatchObject({ code: 'invalid-argument' });
});

it('NODE_DEBUG tells the life of files, one line an event, without a byte of what is stored', async () => {
  const program = `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
await provider.appendPatch(patchOf('secret'), 1);
await provider.backup(file + '.saved');
await provider.backup(file + '.saved').catch(() => {}); // there is one already
await provider.backup(file + '\\n.saved'); // the name has a line break in it
await provider.close();`;
  const quiet = await runProgram(program, freshFile());
  expect(quiet.stderr).toBe('');
  const file = freshFile();
  vi.stubEnv('NODE_DEBUG', 'sds-persistence');
  const { stderr } = await runProgram(program, file);
  vi.unstubAllEnvs();
  expect(stderr).not.toContain('secret');
  expect(
    stderr
      .trim()
      .split('\n')
      .map((line) => line.replace(/^SDS-PERSISTENCE \d+: /, '').replace(/\d+ bytes$/, 'BYTES')),
  ).toEqual([
    'a worker starts',
    `open ${file}: fine`,
    `backup of ${file} to ${file}.saved: BYTES`,
    expect.stringMatching(/^backup of \S+ to \S+\.saved: file-exists: backup \('.*'\): .+$/),
    `backup of ${file} to ${file}\\n.saved: BYTES`,
    `close ${file}: fine`,
  ]);
});
