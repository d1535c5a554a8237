/** Loads the patches of a store above a number. */
import type { PatchBlocks } from '../../protocol/patch-blocks.ts';
import { Blocks } from './blocks.ts';
import type { Connection } from './connection.ts';

export async function loadPatchesSince(connection: Connection, store: string, clock: number): Promise<PatchBlocks> {
  const blocks = new Blocks();
  const those = `FROM sds_patches WHERE store_id = ${connection.escapeLiteral(store)} AND clock > ${clock} ORDER BY clock`;
  await connection.read(['data'], those, (data) => blocks.add(data));
  return blocks.end();
}
