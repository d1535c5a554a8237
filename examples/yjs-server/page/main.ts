/** Editors on two y-websocket servers. */
import { WebsocketProvider } from 'y-websocket';
import { showColumns } from '../../killed-server/page/columns.ts';
import { DOCUMENT } from '../../killed-server/protocol.ts';

showColumns('y-leveldb', (url, document) => {
  // not by the browser's channel between pages: only the server could know what was typed
  const provider = new WebsocketProvider(url, DOCUMENT, document, { disableBc: true });
  return {
    loaded: new Promise((resolve) => provider.once('sync', () => resolve())),
    end: () => provider.destroy(),
  };
});
