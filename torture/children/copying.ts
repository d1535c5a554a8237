/** Copies stores, and dies by SIGKILL some milliseconds after the first bytes were copied, if so many are given. */
import { copyStores } from 'sds-persistence-worker';

const [from = '', to = '', killAfterMs = ''] = process.argv.slice(2);
let dying = killAfterMs === '';
try {
  await copyStores(from.split('|'), to, {
    OnProgress({ Done }) {
      if (dying || Done === 0) return;
      dying = true;
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(killAfterMs));
    },
  });
  console.log('done');
} catch (error) {
  console.log((error as { code?: string }).code, String(error));
}
