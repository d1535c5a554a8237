/** A provider as an engine knows it, for tests of what is below the service. */
import type { Caller } from '../../src/worker/engine.ts';

export const aCaller: Caller = {
  storeId: 'store',
  VerifyValues: false,
  Durability: 'normal',
  BusyTimeoutMs: 0,
  exclusive: true,
  owned: false,
  snapshotFailure: undefined,
};
