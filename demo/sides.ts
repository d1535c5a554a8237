/** The two sides that are compared, and how each opens its provider. */
import { SDS_DesktopPersistenceProvider, type SDS_PersistenceProvider } from 'sds-persistence-worker';
import { ReferenceProvider } from '../tests/support/reference-provider.ts';

export const sides = ['worker', 'reference'] as const;
export type Side = (typeof sides)[number];

export const sideTitles: Readonly<Record<Side, string>> = {
  worker: 'this package',
  reference: 'synchronous',
};

/** The store in the file that the demo writes. */
export const STORE_ID = 'demo';

export function openProvider(side: Side, dbPath: string): SDS_PersistenceProvider {
  return side === 'worker'
    ? new SDS_DesktopPersistenceProvider(dbPath, STORE_ID)
    : new ReferenceProvider(dbPath, STORE_ID);
}
