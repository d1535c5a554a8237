/** A process of its own that has a database open: with `true` it has committed a patch that is in the log alone, and does so for each line it is sent. */
import { DatabaseSync } from 'node:sqlite';

const [dbPath = '', writes] = process.argv.slice(2);
process.removeAllListeners('warning');
const database = new DatabaseSync(dbPath);
database.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF');
database.prepare('SELECT count(*) FROM patches').get();
let clock = 1000;
const write = () => database.prepare("INSERT INTO patches VALUES ('tasks', ?, ?)").run(clock++, new Uint8Array(9000));
if (writes === 'true') write();
console.log('open');
process.stdin.on('data', () => {
  write();
  console.log('written');
});
process.stdin.once('end', () => database.close());
