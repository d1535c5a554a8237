/** flush() and close(), which wait for all that was called before: what they cost, for whom they wait, and what they tell. */
import { promiseHooks } from 'node:v8';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';

/** How many promises this thread makes meanwhile. */
async function promisesOf(work: () => Promise<unknown>): Promise<number> {
  let made = 0;
  const stop = promiseHooks.onInit(() => {
    made++;
  });
  try {
    await work();
  } finally {
    stop();
  }
  return made;
}

type Provider = SDS_DesktopPersistenceProvider;

const ways: Record<string, (provider: Provider) => Promise<unknown>> = {
  'close, behind a patch': (provider) => Promise.all([provider.appendPatch(patchOf(1), 1), provider.close()]),
  'close, behind a load': (provider) => Promise.all([provider.loadSnapshot(), provider.close()]),
  'flush, behind a patch': (provider) => Promise.all([provider.appendPatch(patchOf(1), 1), provider.flush()]),
};

describe('waiting for all that was called before', () => {
  it.each(Object.entries(ways))('costs no more where many do so: %s', async (_, way) => {
    const each = async (count: number) => {
      const file = freshFile();
      const providers = Array.from({ length: count }, (_, i) => new SDS_DesktopPersistenceProvider(file, `store ${i}`));
      await Promise.all(providers.map((provider) => provider.ready()));
      const promises = await promisesOf(() => Promise.all(providers.map(way)));
      await Promise.all(providers.map((provider) => provider.close()));
      return promises / count;
    };
    expect(await each(400)).toBeLessThan(2 * (await each(50)));
  });

  it('costs no more where one provider does so often', async () => {
    const each = async (count: number) => {
      const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
      await provider.ready();
      const flushed = () => {
        const calls = Array.from({ length: count }, (_, i) => [provider.appendPatch(patchOf(i), i), provider.flush()]);
        return Promise.all(calls.flat());
      };
      const promises = await promisesOf(flushed);
      await provider.close();
      return promises / count;
    };
    expect(await each(400)).toBeLessThan(2 * (await each(50)));
  });

  it('waits for a load that writes of a blocked thread have overtaken', async () => {
    const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
    await provider.ready();
    const order: string[] = [];
    const loaded = provider.loadSnapshot().then(() => order.push('loaded'));
    void provider.appendPatch(patchOf(1), 1).then(() => order.push('appended'));
    const flushed = provider.flush().then(() => order.push('flushed'));
    expect(provider.flushSync()).toBe(true);
    await Promise.all([loaded, flushed]);
    expect(order).toEqual(['appended', 'loaded', 'flushed']);
    await provider.close();
  });

  it('does not tell of a call that was made after it and has failed before it was done', async () => {
    const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', { VerifyValues: true });
    await provider.ready();
    const loaded = provider.loadSnapshot();
    const flushed = provider.flush();
    const saved = expect(provider.saveValue('0'.repeat(64), patchOf(1))).rejects.toThrow('saveValue');
    expect(provider.flushSync()).toBe(false);
    await Promise.all([loaded, flushed, saved]);
    await provider.close();
  });

  it('tells the first failure of its own provider', async () => {
    const file = freshFile();
    const [one, other] = ['one', 'other'].map(
      (store) => new SDS_DesktopPersistenceProvider(file, store, { VerifyValues: true }),
    ) as [Provider, Provider];
    await Promise.all([one.ready(), other.ready()]);
    const failures: Promise<unknown>[] = [];
    const fail = (provider: Provider, digit: string) =>
      failures.push(provider.saveValue(digit.repeat(64), patchOf(1)).catch((error: unknown) => error));
    fail(other, '0');
    fail(one, '1');
    fail(one, '2');
    const flushed = one.flush().catch((error: unknown) => error);
    fail(one, '3');
    expect(await flushed).toBe((await Promise.all(failures))[1]);
    await one.flush();
    await Promise.all([one.close(), other.close()]);
  });
});
