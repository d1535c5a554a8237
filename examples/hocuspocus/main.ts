/** `npm run hocuspocus`: a Hocuspocus server, with this package and with extension-sqlite. */
import { run } from '../killed-server/command.ts';

await run({
  name: 'hocuspocus',
  folder: import.meta.dirname,
  other: 'extension-sqlite',
  about: `A page with editors on two Hocuspocus servers: one has the extension of this package, the other
@hocuspocus/extension-sqlite.`,
});
