/** A process of its own that copies stores: `copying.ts FROM TO`, and dies by SIGKILL some milliseconds after the first bytes were copied. */
import { copyStores } from 'sds-persistence-worker';

const [from = '', to = '', killAfterMs = ''] = process.argv.slice(2);
process.removeAllListeners('warning');
let dying = killAfterMs === '';
await copyStores(from.split('|'), to, {
  LeaseMs: 1000,
  OnProgress({ Done }) {
    if (dying || Done === 0) return;
    dying = true;
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(killAfterMs));
  },
});
console.log('done');
