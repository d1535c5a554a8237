/** Values beside a document: records of its store, in Node's encoding of structured clones. */
import type { DocumentLog } from '../documents/index.ts';

const PREFIX = 'meta:';

/** It is compiled when it is first asked for. */
const v8 = () => process.getBuiltinModule('node:v8');

export function setMeta({ provider }: DocumentLog, key: string, value: unknown) {
  return provider.saveRecord(PREFIX + key, v8().serialize(value));
}

export async function getMeta({ provider }: DocumentLog, key: string): Promise<unknown> {
  const bytes = await provider.loadRecord(PREFIX + key);
  return bytes === undefined ? undefined : v8().deserialize(bytes);
}

export function delMeta({ provider }: DocumentLog, key: string) {
  return provider.removeRecord(PREFIX + key);
}

export async function getMetas({ provider }: DocumentLog): Promise<Map<string, unknown>> {
  const records = await provider.loadRecords(PREFIX);
  return new Map(records.map(({ Key, Data }) => [Key.slice(PREFIX.length), v8().deserialize(Data)]));
}
