/** A provider as an engine knows it, for tests of what is below the service. */
import type { Member } from '../../src/worker/engine.ts';

export const aMember: Member = {
  storeId: 'store',
  VerifyValues: false,
  Durability: 'normal',
  BusyTimeoutMs: 0,
  exclusive: true,
  owned: false,
  snapshotFailure: undefined,
};
