/** A window: a textarea on a document. `npx esbuild window.mjs --bundle --outfile=window.js` makes what the page loads. */
import * as Y from 'yjs';

const { documents } = window;
const name = 'notes';
const doc = new Y.Doc();
const text = doc.getText('text');
const area = document.querySelector('textarea');

documents.onChange((changed, update) => {
  if (changed === name) Y.applyUpdate(doc, update, documents);
});
doc.on('update', (update, origin) => {
  if (origin !== documents) documents.change(name, update);
});
text.observe((_, { local }) => {
  if (!local) area.value = text.toString();
});
Y.applyUpdate(doc, await documents.show(name), documents);

area.addEventListener('input', () => {
  const [before, after] = [text.toString(), area.value];
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) start++;
  let same = 0;
  while (same < most - start && before.at(-1 - same) === after.at(-1 - same)) same++;
  doc.transact(() => {
    text.delete(start, before.length - start - same);
    text.insert(start, after.slice(start, after.length - same));
  });
});
