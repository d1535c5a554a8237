/** What each call does to the tables. */
import { seenOf, snapshotNumber } from '../../protocol/compaction.ts';
import type { Writes } from '../engine.ts';
import type { PatchWriter } from './patch-writer.ts';
import type { Records } from './records.ts';
import type { Statements } from './statements.ts';
import { isAsSeen, removeStore, saveSnapshot } from './whole-stores.ts';

/** What a row takes besides its bytes, roughly: its entries in the table and its index. */
const ROW_BYTES = 64;

export interface Tables {
  statements: Statements;
  writer: PatchWriter;
  records: Records;
}

/** Carries out one call; returns how many bytes it wrote. */
export function perform(call: Writes, { statements, writer, records }: Tables): number {
  const { clock } = call;
  const { storeId } = call.member;
  if (call.operation === 'appendPatch') {
    const { data } = call;
    writer.add(storeId, clock, data, call.at, call.keepsBoth);
    return data.byteLength + ROW_BYTES + 2 * storeId.length; // it is stored in the table and in the index
  }
  writer.insert();
  switch (call.operation) {
    case 'saveSnapshot': {
      const { data } = call;
      saveSnapshot(storeId, data, clock, statements);
      return data.byteLength;
    }
    case 'prunePatches':
      writer.pruned(storeId);
      return ROW_BYTES * statements.run('DELETE FROM patches WHERE store_id = ? AND clock < ?', storeId, clock);
    case 'saveValue': {
      const { data, key } = call;
      if (statements.run('UPDATE blobs SET ref_count = ref_count + 1 WHERE hash = ?', key) > 0) return ROW_BYTES;
      statements.write('INSERT INTO blobs (data, hash, ref_count) SELECT ?, ?, 1 WHERE ?', data, key);
      return data.byteLength + ROW_BYTES;
    }
    case 'releaseValue': {
      const { key } = call;
      statements.run('UPDATE blobs SET ref_count = ref_count - 1 WHERE hash = ?', key);
      statements.run('DELETE FROM blobs WHERE hash = ? AND ref_count <= 0', key);
      return ROW_BYTES;
    }
    case 'compactStore': {
      const { at, data } = call;
      const seen = seenOf(call.key);
      if (!isAsSeen(storeId, clock, seen, statements)) {
        call.markWithoutEffect(at);
        return 0;
      }
      saveSnapshot(storeId, data, snapshotNumber(clock, seen), statements);
      writer.pruned(storeId);
      const rows = statements.run('DELETE FROM patches WHERE store_id = ? AND clock <= ?', storeId, clock);
      return data.byteLength + ROW_BYTES * rows;
    }
    case 'removeStore':
      writer.pruned(storeId);
      return ROW_BYTES * removeStore(storeId, statements, records);
    case 'saveRecord': {
      const { data, key } = call;
      records.save(storeId, key, data);
      return data.byteLength + ROW_BYTES + 2 * (storeId.length + key.length);
    }
    case 'removeRecord':
      return ROW_BYTES * records.remove(storeId, call.key);
    case 'removeRecords':
      return ROW_BYTES * records.removeAll(storeId, call.key);
  }
}
