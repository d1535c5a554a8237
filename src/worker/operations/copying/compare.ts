/** Compares what was copied with what it was copied from: counts, bytes, and digests that each side makes of its own. */
import { OperationError } from '../failure.ts';
import { writtenPrint } from './digest.ts';
import type { Source, StorePrint, ValuePrint, Writer } from './ends.ts';
import type { Meter } from './meter.ts';

const STORES_AT_A_TIME = 200;

export async function compareStores(
  source: Source,
  writer: Writer,
  prints: ReadonlyMap<string, StorePrint>,
  meter: Meter,
): Promise<void> {
  const all = [...prints];
  for (let at = 0; at < all.length; at += STORES_AT_A_TIME) {
    const some = all.slice(at, at + STORES_AT_A_TIME);
    const found = await writer.reader.prints(new Map(some.map(([name, { patches }]) => [name, patches])));
    for (const [name, wanted] of some) {
      const print = found.get(name);
      if (writtenPrint(print) !== writtenPrint(wanted)) {
        throw differs(writer, `the store ${JSON.stringify(name)}`, source, differenceOf(wanted, print));
      }
    }
    await meter.add(some.length);
  }
}

const names: Record<keyof StorePrint, string> = {
  patches: 'patches',
  patchBytes: 'bytes of patches',
  patchDigest: 'as the digest of its patches',
  snapshotClock: 'as the number of its snapshot',
  snapshotBytes: 'bytes of its snapshot',
  snapshotDigest: 'as the digest of its snapshot',
};

function differenceOf(wanted: StorePrint, found: StorePrint | undefined): string {
  for (const [key, what] of Object.entries(names) as [keyof StorePrint, string][]) {
    if (found?.[key] !== wanted[key]) return `${found?.[key] ?? 'nothing'} ${what}, not ${wanted[key] ?? 'nothing'}`;
  }
  return 'nothing that differs';
}

export async function compareValues(source: Source, writer: Writer, meter: Meter): Promise<void> {
  for await (const prints of source.reader.valuePrints()) {
    const found = await writer.reader.valuePrintsOf([...prints.keys()]);
    for (const [hash, wanted] of prints) {
      const difference = valueDifference(wanted, found.get(hash));
      if (difference !== undefined) throw differs(writer, `the value ${JSON.stringify(hash)}`, source, difference);
    }
    await meter.add(prints.size);
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

function differs(writer: Writer, what: string, source: Source, difference: string): OperationError {
  const detail = `after copying, ${what} is not here as it is in '${source.reader.place}': there is ${difference}`;
  return new OperationError('database-corrupt', writer.place, detail);
}
