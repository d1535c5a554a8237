/** Carries out a call of the model on a provider. */
import type { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import type { ReferenceProvider } from '../tests/support/reference-provider.ts';
import type { Call } from './model.ts';

export function perform(provider: SDS_DesktopPersistenceProvider | ReferenceProvider, call: Call): Promise<unknown> {
  switch (call.kind) {
    case 'appendPatch':
      return provider.appendPatch(call.bytes, call.clock);
    case 'saveSnapshot':
      return provider.saveSnapshot(call.bytes, call.clock);
    case 'prunePatches':
      return provider.prunePatches(call.clock);
    case 'saveValue':
      return provider.saveValue(call.hash, call.bytes);
    case 'releaseValue':
      return provider.releaseValue(call.hash);
    case 'loadSnapshot':
      return provider.loadSnapshot();
    case 'loadPatchesSince':
      return provider.loadPatchesSince(call.clock);
    case 'loadValue':
      return provider.loadValue(call.hash);
  }
}
