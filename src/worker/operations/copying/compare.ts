/** Compares what was copied with what it was copied from: counts, bytes, and digests that each side makes of its own. */
import { OperationError } from '../failure.ts';
import { kinds, type Reader, type Source, type StorePrint, type Value, type ValuePrint } from './ends.ts';

export async function compareStores(
  source: Source,
  target: Reader,
  prints: ReadonlyMap<string, StorePrint>,
): Promise<void> {
  const found = await target.prints([...prints.keys()]);
  for (const [name, wanted] of prints) {
    const difference = storeDifference(wanted, found.get(name));
    if (difference !== undefined) throw differs(target, `the store ${JSON.stringify(name)}`, source, difference);
  }
}

const parts = { count: '', bytes: 'bytes of ', digest: 'as the digest of its ' };

export function storeDifference(wanted: StorePrint, found: StorePrint | undefined): string | undefined {
  for (const kind of kinds) {
    for (const [part, what] of Object.entries(parts) as [keyof typeof parts, string][]) {
      const [is, ought] = [found?.[kind][part], wanted[kind][part]];
      if (is !== ought) return `${is ?? 'nothing'} ${what}${kind}, not ${ought}`;
    }
  }
  return undefined;
}

export async function compareValues(source: Source, target: Reader, values: readonly Value[]): Promise<void> {
  const found = await target.valuePrints(values.map(({ hash }) => hash));
  for (const { hash, print } of values) {
    const difference = valueDifference(print, found.get(hash));
    if (difference !== undefined) throw differs(target, `the value ${JSON.stringify(hash)}`, source, difference);
  }
}

/** A value that was there before has the references of both. */
function valueDifference(wanted: ValuePrint, found: ValuePrint | undefined): string | undefined {
  if (found === undefined) return 'nothing of it';
  if (found.bytes !== wanted.bytes) return `${found.bytes} bytes, not ${wanted.bytes}`;
  if (found.digest !== wanted.digest) return `${found.digest} as the digest of its bytes, not ${wanted.digest}`;
  if (found.refCount < wanted.refCount) return `${found.refCount} references, not ${wanted.refCount} or more`;
  return undefined;
}

function differs(target: Reader, what: string, source: Source, difference: string): OperationError {
  const detail = `after copying, ${what} is not here as it is in '${source.reader.label}': there is ${difference}`;
  return new OperationError('database-corrupt', target.label, detail);
}
