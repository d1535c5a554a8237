/** The one line in which the two servers differ. */
import { SDS_DesktopPersistenceProvider, type SDS_PersistenceProvider } from 'sds-persistence-worker';
import { ReferenceProvider } from '../../../tests/support/reference-provider.ts';
import type { Side } from '../protocol/control.ts';

/** A snapshot of 64 MB on its way must not hold up those of other documents. */
const MAX_PENDING_BYTES = 256 * 1024 * 1024;

export function openProvider(side: Side, dbPath: string, storeId: string): SDS_PersistenceProvider {
  return side === 'worker'
    ? new SDS_DesktopPersistenceProvider(dbPath, storeId, {
        // people are told what is durable, so a save is over once it is
        Acknowledge: 'committed',
        // a snapshot's bytes are made for it and not looked at again, so they can be taken over
        TransferSnapshots: true,
        MaxPendingBytes: MAX_PENDING_BYTES,
      })
    : new ReferenceProvider(dbPath, storeId);
}
