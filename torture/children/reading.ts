/** Another program that reads: told a path, it keeps a transaction open there until it is told another, or none. */
import { DatabaseSync } from 'node:sqlite';

let database: DatabaseSync | undefined;

process.on('message', ({ path }: { path?: string }) => {
  database?.close();
  database = undefined;
  if (path !== undefined) {
    database = new DatabaseSync(path);
    database.exec('PRAGMA busy_timeout = 5000; BEGIN');
    database.prepare('SELECT count(*) FROM patches').get();
  }
  process.send?.('done');
});
