/** Runs a sync engine's steps over the synchronous reference and over this provider, made as the drop-in is: with two arguments. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { freshFile } from '../support/files.ts';
import { ReferenceProvider } from '../support/reference-provider.ts';
import { describeSyncEngine } from './as-a-sync-engine-calls-suite.ts';

describeSyncEngine('the synchronous reference', (path, id) => new ReferenceProvider(path, id), freshFile);
describeSyncEngine('this provider', (path, id) => new SDS_DesktopPersistenceProvider(path, id), freshFile);
