/** Loads the patches of a store above a number. */
import type { PatchBlocks } from '../../protocol/patch-blocks.ts';
import { Blocks } from './blocks.ts';
import { bytesOf } from './chunks.ts';
import type { Connection } from './connection.ts';

/** Where there is no COPY: so many at a time. */
const PAGE_ROWS = 1000;

export async function loadPatchesSince(
  connection: Connection,
  store: string,
  clock: number,
  copy: boolean,
): Promise<PatchBlocks> {
  const blocks = new Blocks();
  if (copy) {
    await connection.copyOut(
      `SELECT data FROM sds_patches WHERE store_id = ${connection.escapeLiteral(store)} AND clock > ${clock} ORDER BY clock`,
      (data) => blocks.add(data),
    );
    return blocks.end();
  }
  for (let after = String(clock); ; ) {
    const { rows } = await connection.one(
      `SELECT clock, encode(data, 'hex') FROM sds_patches WHERE store_id = $1 AND clock > $2 ORDER BY clock LIMIT ${PAGE_ROWS}`,
      store,
      after,
    );
    for (const [, data] of rows) blocks.add(bytesOf(data));
    if (rows.length < PAGE_ROWS) return blocks.end();
    after = rows.at(-1)?.[0] ?? after;
  }
}
