/** Repos of automerge-repo on this storage: what was saved is there for the next one, however the one before has ended. */
import { createHash } from 'node:crypto';
import { type AutomergeUrl, type DocHandle, generateAutomergeUrl, Repo } from '@automerge/automerge-repo';
import type { StorageAdapterInterface } from '@automerge/automerge-repo/slim';
import { AutomergeRepoStorage, type AutomergeRepoStorageOptions } from 'sds-persistence-worker/automerge-repo';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Engine } from '../support/engine.ts';
import { filesBeside, freshFile, patchOf, sqlite } from '../support/files.ts';
import { describeOnPostgresql, postgresql, proxiedPlace } from '../support/postgresql.ts';
import { lastNumberOf, runRepoProgram } from './automerge-programs.ts';

interface Doc {
  entries: string[];
}

/** A repo on a database, and its end. */
function repoOn(place: string): { repo: Repo; storage: AutomergeRepoStorage; end: () => Promise<void> } {
  const storage = new AutomergeRepoStorage(place);
  const adapter: StorageAdapterInterface = storage;
  const repo = new Repo({ storage: adapter });
  const end = async () => {
    await repo.shutdown();
    await storage.close();
  };
  onTestFinished(() => storage.close());
  return { repo, storage, end };
}

function add(handle: DocHandle<Doc>, ...entries: string[]): void {
  handle.change((doc) => {
    doc.entries.push(...entries);
  });
}

/** What a repo that comes later finds. */
async function entriesOf(place: string, url: AutomergeUrl): Promise<string[]> {
  const { repo, end } = repoOn(place);
  const handle = await repo.find<Doc>(url);
  const entries = [...handle.doc().entries];
  await end();
  return entries;
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i + 1}`);

function describeOn({ name, freshPlace }: Engine): void {
  describe(`on ${name}`, () => {
    it('the next repo finds the documents of the one before, and the same storage', async () => {
      const place = await freshPlace();
      const first = repoOn(place);
      const handle = first.repo.create<Doc>({ entries: [] });
      for (const number of numbers(200)) {
        add(handle, number);
        await first.repo.flush();
      }
      const id = await first.repo.storageId();
      await first.end();
      const second = repoOn(place);
      const found = await second.repo.find<Doc>(handle.url);
      expect(found.doc().entries).toEqual(numbers(200));
      expect(await second.repo.storageId()).toBe(id);
      // what was saved piece by piece was compacted as it went
      expect((await second.storage.loadRange([handle.documentId])).length).toBeLessThan(200);
      add(found, 'of the second');
      await second.end();
      expect((await entriesOf(place, handle.url)).at(-1)).toBe('of the second');
    });

    it('a repo that was asked for a document that is not there: at its end what it has is stored, though it rejects', async () => {
      const place = await freshPlace();
      const { repo, storage } = repoOn(place);
      await expect(repo.find(generateAutomergeUrl())).rejects.toThrow('unavailable');
      const handle = repo.create<Doc>({ entries: ['one'] });
      await repo.flush([handle.documentId]);
      add(handle, 'two');
      await repo.shutdown().catch((error) => error);
      await storage.close();
      expect(await entriesOf(place, handle.url)).toEqual(['one', 'two']);
    });

    it('hundreds of documents', async () => {
      const place = await freshPlace();
      const first = repoOn(place);
      const handles = numbers(200).map((number) => first.repo.create<Doc>({ entries: [number] }));
      await first.end();
      const second = repoOn(place);
      const found = await Promise.all(handles.map(({ url }) => second.repo.find<Doc>(url)));
      expect(found.flatMap((handle) => handle.doc().entries)).toEqual(numbers(200));
      await second.end();
    });

    it('of a document that is deleted nothing is left but what the repo saves of it after that: that it is empty', async () => {
      const place = await freshPlace();
      const first = repoOn(place);
      const [gone, other] = [first.repo.create<Doc>({ entries: [] }), first.repo.create<Doc>({ entries: ['stays'] })];
      for (const number of numbers(20)) {
        add(gone, number);
        await first.repo.flush();
      }
      const keysOfGone = async () => (await first.storage.loadRange([gone.documentId])).map(({ key }) => key);
      expect(await keysOfGone()).not.toEqual([]);
      first.repo.delete(gone.url);
      const none = createHash('sha256').digest('hex'); // of the heads, of which there are none
      await expect.poll(keysOfGone).toEqual([[gone.documentId, 'snapshot', none]]);
      await first.end();
      expect(await entriesOf(place, other.url)).toEqual(['stays']);
    });

    it('two processes change one document at once, and save it, piece by piece and as a whole: all of it is there', async () => {
      const place = await freshPlace();
      const { repo, end } = repoOn(place);
      const handle = repo.create<Doc>({ entries: [] });
      await end();
      const program = (letter: string) => `
        const storage = new AutomergeRepoStorage(place);
        const repo = new Repo({ storage });
        const handle = await repo.find('${handle.url}');
        for (let i = 1; i <= 100; i++) {
          handle.change((doc) => void doc.entries.push('${letter}' + i));
          await repo.flush();
        }
        await storage.close();
        process.exit();`; // automerge-repo has timers that go on
      const ended = await Promise.all(['a', 'b'].map((letter) => runRepoProgram(program(letter), place)));
      for (const { code, stderr } of ended) expect(code, stderr).toBe(0);
      const wanted = ['a', 'b'].flatMap((letter) => numbers(100).map((number) => letter + number));
      expect((await entriesOf(place, handle.url)).sort()).toEqual(wanted.sort());
    });

    it('killed in mid-change, at any moment: a document has all that was flushed, and is whole', async () => {
      for (const killedAt of [1, 12, 40, 77]) {
        const place = await freshPlace();
        const { repo, end } = repoOn(place);
        const handle = repo.create<Doc>({ entries: [] });
        await end();
        const program = `
          const repo = new Repo({ storage: new AutomergeRepoStorage(place) });
          const handle = await repo.find('${handle.url}');
          for (let i = 1; ; i++) {
            handle.change((doc) => void doc.entries.push(String(i), i % 3 === 0 ? new Uint8Array(50_000) : ''));
            const flushed = repo.flush();
            if (i % 2 === 0) continue;
            await flushed;
            process.stdout.write(i + '\\n');
          }`;
        const ended = await runRepoProgram(program, place, {
          onOutput: (output, kill) => {
            if (output.split('\n').length > killedAt) kill('SIGKILL');
          },
        });
        expect(ended.signal).toBe('SIGKILL');
        const found = (await entriesOf(place, handle.url)).filter((_, i) => i % 2 === 0);
        expect(found.length).toBeGreaterThanOrEqual(lastNumberOf(ended));
        expect(found).toEqual(numbers(found.length));
      }
    });
  });
}

describeOn(sqlite);
describeOnPostgresql('on a server', () => describeOn(postgresql));

it.each([
  ['process.exit()', 'process.exit(0);', 0],
  ['an uncaught error', "throw new Error('in mid-change');", 1],
  ['an unhandled rejection', "void Promise.reject(new Error('in mid-change'));", 1],
])('%s in mid-change: all that was called is stored, chunk by chunk', async (_, end, code) => {
  const place = freshFile();
  const program = `
    const storage = new AutomergeRepoStorage(place);
    for (let i = 1; i <= 2000; i++) void storage.save(['document', 'incremental', String(i)], patchOf(i));
    ${end}`;
  expect(await runRepoProgram(program, place)).toMatchObject({ code });
  await using storage = new AutomergeRepoStorage(place);
  const chunks = await storage.loadRange(['document']);
  expect(chunks).toEqual(
    numbers(2000).map((key, i) => ({ key: ['document', 'incremental', key], data: patchOf(i + 1) })),
  );
});

it('the process ends right behind a flush that nobody waits for: what was changed is there', async () => {
  const place = freshFile();
  const { repo, end } = repoOn(place);
  const handle = repo.create<Doc>({ entries: [] });
  await end();
  const program = `
    const repo = new Repo({ storage: new AutomergeRepoStorage(place) });
    const handle = await repo.find('${handle.url}');
    handle.change((doc) => void doc.entries.push('last'));
    void repo.flush();
    process.exit();`;
  expect(await runRepoProgram(program, place)).toMatchObject({ code: 0, stderr: '' });
  expect(await entriesOf(place, handle.url)).toEqual(['last']);
});

it.each([
  ['without', {}],
  ['with', { onError: () => undefined }],
])('bytes are the caller’s again when a call returns, %s onError', async (_, options) => {
  await using storage = new AutomergeRepoStorage(freshFile(), options);
  const bytes = patchOf('as it was');
  const saved = storage.save(['a'], bytes);
  bytes.fill(0);
  await saved;
  expect(bytes.byteLength).toBeGreaterThan(0);
  expect(await storage.load(['a'])).toEqual(patchOf('as it was'));
  const [chunk] = await storage.loadRange([]);
  chunk?.data.fill(1);
  expect(await storage.load(['a'])).toEqual(patchOf('as it was'));
});

it.each<[string, AutomergeRepoStorageOptions]>([
  ['rejects', {}],
  ['repeats', { onError: () => undefined }],
])(
  'close of a storage that %s what fails waits for what a call leads to: the removal of a document, in three steps',
  async (_, options) => {
    const place = freshFile();
    const storage = new AutomergeRepoStorage(place, options);
    for (const kind of ['snapshot', 'incremental', 'sync-state'])
      await storage.save(['document', kind, 'a'], patchOf(kind));
    const removing = (async () => {
      for (const kind of ['snapshot', 'incremental', 'sync-state']) await storage.removeRange(['document', kind]);
    })();
    await storage.close();
    await removing;
    await using again = new AutomergeRepoStorage(place);
    expect(await again.loadRange([])).toEqual([]);
  },
);

it('close waits for what was called, leaves one file, and may be called again; afterwards nothing goes', async () => {
  const place = freshFile();
  const storage = new AutomergeRepoStorage(place);
  const saves = numbers(500).map((number) => storage.save([number], patchOf(number)));
  const closed = storage.close();
  expect(storage.close()).toBe(closed);
  await closed;
  await Promise.all(saves);
  expect(filesBeside(place)).toEqual(['store.db']);
  const calls = [
    storage.load(['1']),
    storage.loadRange(['1']),
    storage.save(['1'], patchOf(1)),
    storage.remove(['1']),
    storage.removeRange([]),
  ];
  for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'closed' });
  await using again = new AutomergeRepoStorage(place);
  expect(await again.loadRange([])).toHaveLength(500);
});

it('close carries out nothing again that is under way: what is removed and saved again would lie behind what came after it', async () => {
  const place = freshFile();
  const storage = new AutomergeRepoStorage(place, { onError: () => undefined });
  void storage.remove(['one']);
  void storage.save(['one'], patchOf(1));
  void storage.save(['other'], patchOf(2));
  await storage.close();
  await using again = new AutomergeRepoStorage(place);
  expect((await again.loadRange([])).map(({ key }) => key)).toEqual([['one'], ['other']]);
});

it('an option that there is not, or that is something else, is refused by its name', () => {
  const wrong: [object, RegExp][] = [
    [{ stor: 'a' }, /there is no option 'stor'/],
    [{ store: 1 }, /store must be a string, not 1/],
    [{ onError: 'log' }, /onError must be a function/],
    [{ durability: 'most' }, /durability must be 'normal' or 'full'/],
    [{ resourceLimits: {} }, /resourceLimits/],
  ];
  for (const [options, message] of wrong) {
    expect(() => new AutomergeRepoStorage(freshFile(), options)).toThrow(message);
  }
});

it('a database that can not be opened: whoever loads is told which, and why', async () => {
  await using storage = new AutomergeRepoStorage(await sqlite.brokenPlace());
  await expect(storage.load(['a'])).rejects.toMatchObject({ code: 'open-failed' });
  await expect(storage.save(['a'], patchOf(1))).rejects.toThrow(/missing.*store\.db/);
});

describeOnPostgresql('a database server that is away', () => {
  it('close() tries what waits once more, all of it together, and rejects it', async () => {
    const [{ proxy, url }, patient] = [await proxiedPlace(), await proxiedPlace()];
    const told: string[] = [];
    const onError = ({ code }: { code: string }) => void told.push(code);
    const storage = new AutomergeRepoStorage(url, { retryForMs: 1000, onError });
    await storage.save(['a'], patchOf(0));
    const other = new AutomergeRepoStorage(patient.url, { retryForMs: 20_000 });
    await other.save(['a'], patchOf(0));
    for (const one of [proxy, patient.proxy]) {
      one.refuse();
      one.cutNow();
    }
    const outcomes: string[] = [];
    const saves = numbers(40).map((key) => storage.save([key], patchOf(1)));
    for (const save of saves) save.catch(({ code }) => outcomes.push(code));
    await expect.poll(() => told).toEqual(['connection-failed']);
    // each of them by itself would have taken twice as long as that one is waited for
    const mayWaitLonger = other.save(['a'], patchOf(1));
    mayWaitLonger.catch(() => outcomes.push('a call that may wait for longer'));
    const closing = storage.close();
    const late = expect(storage.save(['f'], patchOf(1))).rejects.toMatchObject({ code: 'connection-failed' });
    await closing;
    expect(outcomes).toEqual(saves.map(() => 'connection-failed'));
    await late;
    patient.proxy.accept();
    await mayWaitLonger;
    await other.close();
  });
});
