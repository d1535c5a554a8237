/** Editors on two servers of Hocuspocus. */
import { HocuspocusProvider } from '@hocuspocus/provider';
import { showColumns } from '../../killed-server/page/columns.ts';
import { DOCUMENT } from '../../killed-server/protocol.ts';

showColumns('extension-sqlite', (url, document) => {
  const provider = new HocuspocusProvider({ url, name: DOCUMENT, document });
  return {
    loaded: new Promise((resolve) => provider.on('synced', () => resolve())),
    end: () => provider.destroy(),
  };
});
