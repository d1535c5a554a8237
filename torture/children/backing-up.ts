/** Makes one backup; says on stdout when it begins, and how it ended. */
import { backupDatabase } from 'sds-persistence-worker';

const [source = '', target = ''] = process.argv.slice(2);
console.log('begins');
try {
  await backupDatabase(source, target);
  console.log('done');
} catch (error) {
  console.log(String(error));
}
