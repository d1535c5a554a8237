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

/** A server that has used storage-nodefs, and has ended: until then a repo may still put one chunk in place of several. */
const stored = `import { Repo } from '@automerge/automerge-repo';
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs';

const repo = new Repo({ storage: new NodeFSStorageAdapter('automerge-repo-data') });
const handles = Array.from({ length: 30 }, (_, i) => repo.create({ entries: [i] }));
for (let i = 0; i < 20; i++) {
  for (const handle of handles.slice(0, 5)) handle.change((doc) => void doc.entries.push(i));
  await repo.flush();
}
await repo.shutdown();
const documents = handles.map((handle) => ({ id: handle.documentId, url: handle.url, doc: handle.doc() }));
console.log(JSON.stringify({ id: await repo.storageId(), documents }));
`;

it('every document is there under its URL, and every chunk as it was; once more changes nothing', async () => {
  const folder = freshFolder();
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'sds-persistence-worker'));
  symlinkSync(join(root, 'node_modules/@automerge'), join(folder, 'node_modules', '@automerge'));
  writeFileSync(join(folder, 'store.mjs'), stored);
  const { id, documents } = JSON.parse(
    execFileSync(process.execPath, ['store.mjs'], { cwd: folder, encoding: 'utf8' }),
  );
  writeFileSync(join(folder, 'move.mjs'), script);
  for (let times = 0; times < 2; times++) execFileSync(process.execPath, ['move.mjs'], { cwd: folder });

  await using storage = new AutomergeRepoStorage(join(folder, 'repo.db'));
  const old = new NodeFSStorageAdapter(join(folder, 'automerge-repo-data'));
  for (const document of documents) {
    const before = await old.loadRange([document.id]);
    const after = await storage.loadRange([document.id]);
    expect(before.length).toBeGreaterThan(0);
    const byKey = (chunks: typeof before) => new Map(chunks.map(({ key, data }) => [key.join('/'), data]));
    expect(byKey(after)).toEqual(byKey(before));
  }
  const second = new Repo({ storage });
  expect(await second.storageId()).toBe(id);
  for (const { url, doc } of documents) expect((await second.find(url)).doc()).toEqual(doc);
  await second.shutdown();
});
