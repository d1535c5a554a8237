/**
 * The clients of a server of documents: `URL NAMES PER_SECOND`, of which names are separated by commas. Types one key at a time into one
 * document after the other, from `type` on; `stop` ends that, and tells how many keys it were, and how many of them the server has acknowledged.
 */
import { HocuspocusProvider } from '@hocuspocus/provider';
import * as Y from 'yjs';
import { typeInto } from './type-into.mjs';

const [, , url, names = '', perSecond = '1'] = process.argv;

const providers = names.split(',').map((name) => new HocuspocusProvider({ url, name, document: new Y.Doc() }));
await Promise.all(providers.map((one) => new Promise((resolve) => one.on('synced', resolve))));

let typed = 0;
let acknowledged = 0;

function press() {
  typeInto(providers[typed % providers.length].document, Math.floor(typed / providers.length));
  typed++;
}

let timer;
const answers = {
  type() {
    const start = performance.now();
    timer = setInterval(() => {
      for (const due = ((performance.now() - start) * Number(perSecond)) / 1000; typed < due; ) press();
    }, 1);
  },
  stop() {
    clearInterval(timer);
    process.send({ typed, acknowledged });
  },
};
// what the server has not answered yet when it is gone, nobody was told to be there
for (const one of providers) {
  one.on('unsyncedChanges', () => {
    acknowledged = typed - providers.reduce((sum, { unsyncedChanges }) => sum + unsyncedChanges, 0);
  });
}
process.on('message', (order) => answers[order]());
process.send({ synced: providers.length });
