/** Options that whoever runs a program gives it from outside: it swaps the provider and changes no line. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const open = (file: string, options?: ConstructorParameters<typeof SDS_DesktopPersistenceProvider>[2]) => {
  const provider = new SDS_DesktopPersistenceProvider(file, 'store', options);
  onTestFinished(() => provider.close());
  return provider;
};

/** How many patches are left of two of one number, each of a provider of its own, one after the other. */
async function leftOfTwo(options?: ConstructorParameters<typeof SDS_DesktopPersistenceProvider>[2]): Promise<number> {
  const file = freshFile();
  const first = open(file, options);
  await first.appendPatch(patchOf(1), 1);
  await first.close();
  const second = open(file, options);
  await second.appendPatch(patchOf(2), 1);
  return (await second.loadPatchesSince(0)).length;
}

it('stand in for the defaults; what the program says goes first', async () => {
  expect(await leftOfTwo()).toBe(1);
  vi.stubEnv('SDS_PERSISTENCE_ON_CLOCK_COLLISION', 'keep');
  expect(await leftOfTwo()).toBe(2);
  expect(await leftOfTwo({ BusyTimeoutMs: 100 })).toBe(2);
  expect(await leftOfTwo({ OnClockCollision: 'ignore' })).toBe(1);
});

it('are told by their name, if they are not acceptable', () => {
  for (const [variable, value] of [
    ['SDS_PERSISTENCE_ACKNOWLEDGE', 'later'],
    ['SDS_PERSISTENCE_DURABILITY', 'Full'],
    ['SDS_PERSISTENCE_BUSY_TIMEOUT_MS', '-1'],
    ['SDS_PERSISTENCE_ON_CLOCK_COLLISION', '1'],
    ['SDS_PERSISTENCE_WORKERS', 'two'],
    ['SDS_PERSISTENCE_WORKERS', '0'],
    ['SDS_PERSISTENCE_WORKERS', '65'],
  ] as const) {
    vi.stubEnv(variable, value);
    expect(() => open(freshFile())).toThrow(
      new RegExp(`environment variable ${variable} must be .*'${value}'|${value}`),
    );
    expect(() => open(freshFile())).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    vi.unstubAllEnvs();
  }
});

it('are not there, if they are empty', async () => {
  vi.stubEnv('SDS_PERSISTENCE_BUSY_TIMEOUT_MS', '');
  expect(await leftOfTwo()).toBe(1);
});
