/** Small calls and large writes have room of their own: a write larger than `MaxPendingBytes` shuts out no small call. */
import { DatabaseSync } from 'node:sqlite';
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';

const MIB = 1024 * 1024;
const huge = () => new Uint8Array(2 * MIB).fill(7);

beforeAll(() => {
  process.env.SDS_PERSISTENCE_WORKERS = '1'; // all files of a worker share its memory
});

async function open(file: string, options: SDS_ProviderOptions): Promise<SDS_DesktopPersistenceProvider> {
  const all = { MaxPendingBytes: MIB, BusyTimeoutMs: 60_000, Acknowledge: 'committed', ...options } as const;
  const provider = new SDS_DesktopPersistenceProvider(file, 'store', all);
  onTestFinished(() => provider.close());
  await provider.ready();
  return provider;
}

describe.each(['block', 'reject'] as const)("with Overflow '%s'", (Overflow) => {
  it('a small call is neither held nor refused while a write larger than MaxPendingBytes waits', async () => {
    const [one, other] = await Promise.all([open(freshFile(), { Overflow }), open(freshFile(), { Overflow })]);
    const calls = [one.saveSnapshot(huge(), 1), one.appendPatch(patchOf(2), 2), other.appendPatch(patchOf(1), 1)];
    expect([one, other].map((provider) => provider.statistics().Held.Calls)).toEqual([0, 0]);
    await Promise.all(calls);
  });

  it('a large write is neither held nor refused for what else waits, if that is less than MaxPendingBytes', async () => {
    const [one, other] = await Promise.all([open(freshFile(), { Overflow }), open(freshFile(), { Overflow })]);
    const calls = [
      one.appendPatch(patchOf(1), 1),
      one.appendPatch(new Uint8Array(200_000), 2),
      other.saveSnapshot(huge(), 1),
    ];
    expect([one, other].map((provider) => provider.statistics().Held.Calls)).toEqual([0, 0]);
    await Promise.all(calls);
  });
});

it('memory stays bounded while a large write does not proceed, and all that was accepted is stored', async () => {
  const file = freshFile();
  const provider = await open(file, { Overflow: 'reject' });
  const holder = new DatabaseSync(file);
  onTestFinished(() => {
    if (holder.isOpen) holder.close();
  });
  holder.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  const saved = provider.saveSnapshot(huge(), 1);
  await expect(provider.saveSnapshot(huge(), 1)).rejects.toMatchObject({ code: 'queue-full' });
  const calls = Array.from({ length: 5000 }, (_, i) => provider.appendPatch(new Uint8Array(1000).fill(i), i + 2));
  const settled = Promise.allSettled(calls);
  await expect(calls.at(-1)).rejects.toMatchObject({ code: 'queue-full' });
  const { PendingBytes } = provider.statistics().Worker;
  expect(PendingBytes).toBeGreaterThanOrEqual(3 * MIB);
  expect(PendingBytes).toBeLessThan(4 * MIB); // the last slab of the small ones
  holder.close();
  await saved;
  const stored = (await settled).flatMap(({ status }, i) => (status === 'fulfilled' ? [i + 2] : []));
  expect(stored.length).toBeGreaterThan(500);
  expect(await provider.loadPatchesSince(1)).toHaveLength(stored.length);
  expect(provider.statistics().Worker.PendingBytes).toBe(0);
});
