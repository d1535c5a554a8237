/** Collects what a verification finds: one entry a kind and table, with a count, so that a damaged file gives no million lines. */
import type { SDS_Finding, SDS_FindingCode } from '../../../protocol/operations.ts';

const odd: readonly SDS_FindingCode[] = ['empty-file', 'patches-without-start', 'patch-gap'];

const RESTORE = "stop the programs that use it, keep this file aside, and put a backup in its place ('restore')";
const OR_SALVAGE = `${RESTORE}; if there is none, 'copy --salvage' its stores into a new file: what can be read is saved`;

const advice: Record<SDS_FindingCode, string> = {
  'empty-file': 'a provider fills it when it opens it; if there was data in it, restore a backup',
  unreadable: OR_SALVAGE,
  structure: OR_SALVAGE,
  schema:
    'do not open it with a provider: it is refused. Restore a backup, or find out which program made these tables',
  'tables-missing': 'check that this is the file that was meant; a provider would add its tables to it',
  'wrong-type': 'find out which program wrote these rows; a provider stores no such row. Restore a backup made before',
  'clock-range': 'find out which program wrote these patches: no provider can load them by number',
  'reference-count': 'the value is removed too early or never; if a document needs it, save it anew (saveValue)',
  'value-mismatch':
    "the bytes were damaged or stored under a wrong hash; restore them from a backup, and set 'VerifyValues'",
  'patches-without-start':
    'patches before the first were removed and no snapshot holds what they said; compare with a backup of this store',
  'patch-gap':
    'patches are missing in between, or their numbers were taken by others; compare with a backup of this store',
};

export class Findings {
  readonly #found = new Map<string, SDS_Finding>();

  /** Others of a kind only count; `about` tells kinds of one code apart. */
  add(Code: SDS_FindingCode, about: string, message: () => string, count = 1): void {
    const key = `${Code} ${about}`;
    const Severity = odd.includes(Code) ? 'odd' : 'error';
    const found = this.#found.get(key) ?? { Code, Severity, Message: message(), Advice: advice[Code], Count: 0 };
    found.Count += count;
    this.#found.set(key, found);
  }

  get all(): SDS_Finding[] {
    return [...this.#found.values()];
  }
}
