/** `npm run yjs-server`: a y-websocket server, with this package and with y-leveldb. */
import { run } from '../killed-server/command.ts';

await run({
  name: 'yjs-server',
  folder: import.meta.dirname,
  other: 'y-leveldb',
  about: 'A page with editors on two y-websocket servers: one has this package for its documents, the other y-leveldb.',
});
