/** How each side opens its provider. */
import { SDS_DesktopPersistenceProvider, type SDS_PersistenceProvider } from 'sds-persistence-worker';
import { ReferenceProvider } from '../tests/support/reference-provider.ts';
import type { Side } from './sides.ts';

/** The store in the file that the demo writes. */
const STORE_ID = 'demo';

export function openProvider(side: Side, dbPath: string): SDS_PersistenceProvider {
  return side === 'worker'
    ? new SDS_DesktopPersistenceProvider(dbPath, STORE_ID)
    : new ReferenceProvider(dbPath, STORE_ID);
}
