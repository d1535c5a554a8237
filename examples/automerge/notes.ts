/**
 * The program that is killed: it puts notes into a document of automerge-repo, one after the other, and says which are stored.
 * Started again with the document's URL, it goes on behind what it finds.
 */
import { type AutomergeUrl, Repo } from '@automerge/automerge-repo';
import { AutomergeRepoStorage } from 'sds-persistence-worker/automerge-repo';

export interface Notebook {
  notes: string[];
}

/** What it tells whoever has started it. */
export interface Said {
  url: AutomergeUrl;
  /** How many notes are stored. */
  stored: number;
  /** Whether they were when it began. */
  isFirst: boolean;
}

const [database = 'notes.db', url] = process.argv.slice(2);
process.once('disconnect', () => process.exit()); // nobody listens any more

const storage = new AutomergeRepoStorage(database);
const repo = new Repo({ storage });
const handle =
  url === undefined ? repo.create<Notebook>({ notes: [] }) : await repo.find<Notebook>(url as AutomergeUrl);

for (let isFirst = true; ; isFirst = false) {
  await repo.flush(); // what was changed is stored
  const said: Said = { url: handle.url, stored: handle.doc().notes.length, isFirst };
  process.send?.(said);
  handle.change((notebook) => {
    notebook.notes.push(`note ${notebook.notes.length + 1}`);
  });
}
