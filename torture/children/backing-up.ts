/** Makes one backup; says on stdout when it begins, and how it ended. */
import { backupDatabase, type SDS_BackupOptions } from 'sds-persistence-worker';

const [source = '', target = '', options = '{}'] = process.argv.slice(2);
console.log('begins');
try {
  await backupDatabase(source, target, JSON.parse(options) as SDS_BackupOptions);
  console.log('done');
} catch (error) {
  console.log(String(error));
}
