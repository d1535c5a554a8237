/** Opens a store, makes calls that it does not wait for, and ends the process. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { leavingCalls } from '../message-scenes.ts';
import { perform } from '../perform.ts';

const [url = '', store = '', options = '{}'] = process.argv.slice(2);
const provider = new SDS_DesktopPersistenceProvider(url, store, JSON.parse(options));
await provider.ready();
for (const call of leavingCalls) void perform(provider, call);
process.exit();
