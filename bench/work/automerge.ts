/** Storage of automerge-repo: chunks that are saved in one go, and documents of a repository that change. */
import { automergeDrivers } from '../drivers/automerge.ts';
import { importPeer } from '../drivers/driver.ts';
import { measure, randomBytes } from '../measure.ts';
import type { NamedWork } from './work.ts';

/** What is used of the package. */
interface Automerge {
  Repo: new (options: { storage: unknown }) => Repo;
}
interface Repo {
  create(initial: { text: string }): { change(edit: (doc: { text: string }) => void): void };
  flush(): Promise<void>;
}

const CHUNK_BYTES = 200;

export const automergeSaves: NamedWork = async ({ who, folder, sizes }) => {
  const { chunks = 10, documents = 1, changes = 1 } = sizes;
  const storage = await automergeDrivers[who]?.open(folder);
  if (storage === undefined) throw new Error(`there is no driver ${who}`);
  const bytes = randomBytes(CHUNK_BYTES);
  const save = (i: number) => storage.save(['document', 'incremental', `${i}`], bytes);
  await save(0);
  const saved = await measure(() => Promise.all(Array.from({ length: chunks }, (_, i) => save(i + 1))));
  const found = (await storage.loadRange(['document'])).length;
  if (found !== chunks + 1) throw new Error(`${found} chunks are there, not ${chunks + 1}`);

  const { Repo } = await importPeer<Automerge>('@automerge/automerge-repo');
  const repo = new Repo({ storage });
  const handles = Array.from({ length: documents }, () => repo.create({ text: '' }));
  await repo.flush();
  const changed = await measure(async () => {
    for (let round = 0; round < changes; round++) {
      for (const handle of handles) {
        handle.change((doc) => {
          doc.text += 'x';
        });
      }
      await repo.flush();
    }
  });
  await storage.close?.();
  return {
    'mainUs a chunk': saved.mainUs / chunks,
    'wholeUs a chunk': saved.wallUs / chunks,
    'mainUs a change': changed.mainUs / (changes * documents),
    'wholeUs a change': changed.wallUs / (changes * documents),
  };
};
