/** A process of its own that has a database open: with `true` it has committed a patch that is in the log alone. */
import { DatabaseSync } from 'node:sqlite';

const [dbPath = '', writes] = process.argv.slice(2);
process.removeAllListeners('warning');
const database = new DatabaseSync(dbPath);
database.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF');
database.prepare('SELECT count(*) FROM patches').get();
if (writes === 'true') database.prepare("INSERT INTO patches VALUES ('tasks', 1000, ?)").run(new Uint8Array(9000));
console.log('open');
process.stdin.resume();
process.stdin.once('end', () => database.close());
