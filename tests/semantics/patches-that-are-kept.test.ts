/** Numbers that meet, with `OnClockCollision: 'keep'`, in SQLite files. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { freshFile, sqlite } from '../support/files.ts';
import { describeKeptPatches } from './patches-that-are-kept-suite.ts';

describeKeptPatches(
  'an SQLite file',
  (path) => new SDS_DesktopPersistenceProvider(path, 'store', { OnClockCollision: 'keep' }),
  freshFile,
  sqlite.rowsOf,
);
