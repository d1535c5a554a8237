/** Carries out a call of the model on a provider. */
import type { ExtendedProvider } from '../tests/support/extended-reference.ts';
import type { Call } from './model.ts';

export function perform(provider: ExtendedProvider, call: Call): Promise<unknown> {
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
    case 'loadStore':
      return provider.loadStore();
    case 'compactStore':
      return provider.compactStore(call.bytes, call.seen);
    case 'removeStore':
      return provider.removeStore();
    case 'saveRecord':
      return provider.saveRecord(call.key, call.bytes);
    case 'loadRecord':
      return provider.loadRecord(call.key);
    case 'loadRecords':
      return provider.loadRecords(call.key);
    case 'removeRecord':
      return provider.removeRecord(call.key);
    case 'removeRecords':
      return provider.removeRecords(call.key);
  }
}
