/** The script of docs/automerge-repo.md takes over what the real storage-nodefs has stored. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Repo } from '@automerge/automerge-repo';
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs';
import { AutomergeRepoStorage } from 'sds-persistence-worker/automerge-repo';
import { expect, it } from 'vitest';
import { freshFolder } from '../support/files.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/automerge-repo.md'), 'utf8');
const [, script = ''] = /^```mjs\n([\s\S]*?)^```/m.exec(page) ?? [];

it('every document is there under its URL, and every chunk as it was; once more changes nothing', async () => {
  const folder = freshFolder();
  const oldFolder = join(folder, 'automerge-repo-data');
  const first = new Repo({ storage: new NodeFSStorageAdapter(oldFolder) });
  const handles = Array.from({ length: 30 }, (_, i) => first.create<{ entries: number[] }>({ entries: [i] }));
  for (let i = 0; i < 20; i++) {
    for (const handle of handles.slice(0, 5)) handle.change((doc) => void doc.entries.push(i));
    await first.flush();
  }
  const id = await first.storageId();
  await first.shutdown();

  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'sds-persistence-worker'));
  symlinkSync(join(root, 'node_modules/@automerge'), join(folder, 'node_modules', '@automerge'));
  writeFileSync(join(folder, 'move.mjs'), script);
  for (let times = 0; times < 2; times++) execFileSync(process.execPath, ['move.mjs'], { cwd: folder });

  await using storage = new AutomergeRepoStorage(join(folder, 'repo.db'));
  // before a repo has them open, which may put one chunk in place of several
  for (const { documentId } of handles) {
    const before = await new NodeFSStorageAdapter(oldFolder).loadRange([documentId]);
    const after = await storage.loadRange([documentId]);
    expect(before.length).toBeGreaterThan(0);
    const byKey = (chunks: typeof before) => new Map(chunks.map(({ key, data }) => [key.join('/'), data]));
    expect(byKey(after)).toEqual(byKey(before));
  }
  const second = new Repo({ storage });
  expect(await second.storageId()).toBe(id);
  for (const handle of handles) {
    expect((await second.find<{ entries: number[] }>(handle.url)).doc()).toEqual(handle.doc());
  }
  await second.shutdown();
});
