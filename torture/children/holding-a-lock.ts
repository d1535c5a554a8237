/** Another program that writes to the file, and takes its time: until its input ends. */
import { DatabaseSync } from 'node:sqlite';

const database = new DatabaseSync(process.argv[2] ?? '');
database.exec('PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE');
console.log('locked');
process.stdin.resume().once('end', () => {
  database.exec('ROLLBACK');
  database.close();
});
