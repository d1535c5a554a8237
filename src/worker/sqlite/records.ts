/** Records: bytes under a key of a store, in a table that is made with the first of a file. */
import type { RecordsFound } from '../../protocol/service.ts';
import { EngineError } from '../engine.ts';
import { Packer } from '../packer.ts';
import { strangeRow } from './errors.ts';
import { createRecords, mismatchOf, RECORDS_TABLE } from './schema.ts';
import { bytesOf, type Statements } from './statements.ts';
import { isUtf8, textOf } from './text.ts';

type Condition = readonly [sql: string, ...values: (string | Uint8Array)[]];

export class Records {
  readonly #statements: Statements;
  #isKnown = false;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Whether there is the table. Another process may make it at any time, so only that it is there is kept in mind. */
  get isThere(): boolean {
    if (this.#isKnown) return true;
    if (this.#statements.first(RECORDS_TABLE) === undefined) return false;
    const message = mismatchOf(this.#statements.database);
    // it may not have been there when the file was opened, and concerns only the calls that need it
    if (message !== undefined) throw new EngineError('schema-mismatch', { message }, true);
    this.#isKnown = true;
    return true;
  }

  /** Told when a transaction is rolled back: it may have made the table. */
  rolledBack(): void {
    this.#isKnown = false;
  }

  save(storeId: string, key: string, data: Uint8Array): void {
    if (!this.isThere) createRecords(this.#statements.database);
    this.#statements.write(
      'INSERT INTO sds_records (data, store_id, key) SELECT ?, ?, ? WHERE ? ' +
        'ON CONFLICT (store_id, key) DO UPDATE SET data = excluded.data',
      data,
      storeId,
      key,
    );
  }

  /** Returns how many were there. */
  remove(storeId: string, key: string): number {
    if (!this.isThere) return 0;
    return this.#statements.run('DELETE FROM sds_records WHERE store_id = ? AND key = ?', storeId, key);
  }

  removeAll(storeId: string, prefix: string): number {
    if (!this.isThere) return 0;
    const [sql, ...values] = this.#beginsWith(prefix);
    return this.#statements.run(`DELETE FROM sds_records WHERE store_id = ? ${sql}`, storeId, ...values);
  }

  load(storeId: string, key: string): Uint8Array | undefined {
    if (!this.isThere) return undefined;
    return bytesOf(this.#statements.first('SELECT data FROM sds_records WHERE store_id = ? AND key = ?', storeId, key));
  }

  /** In the order in which they were made. Call it within a transaction. */
  loadAll(storeId: string, prefix: string): RecordsFound {
    if (!this.isThere) return { keys: [], data: [] };
    const [sql, ...values] = this.#beginsWith(prefix);
    // from the index alone: what has to be sorted is only keys
    const order = `SELECT CAST(key AS BLOB) AS key FROM sds_records WHERE store_id = ? ${sql} ORDER BY rowid`;
    const keys = this.#statements.get(order).all(storeId, ...values);
    const read = 'SELECT data FROM sds_records WHERE store_id = ? AND key = CAST(? AS TEXT)';
    const packer = new Packer();
    for (const { key } of keys) {
      const data = bytesOf(this.#statements.first(read, storeId, key as Uint8Array));
      if (data === undefined) throw strangeRow('the key of a record is no text');
      packer.add(data);
    }
    return { keys: keys.map(({ key }) => textOf(this.#statements, key)), data: packer.end() };
  }

  /** Holds for keys whose bytes begin with those of the prefix. */
  #beginsWith(prefix: string): Condition {
    if (prefix === '') return [''];
    if (!isUtf8(this.#statements)) {
      // no range of such a file's order, which is that of its bytes
      return ['AND substr(CAST(key AS BLOB), 1, length(CAST(? AS BLOB))) = CAST(? AS BLOB)', prefix, prefix];
    }
    // no byte of UTF-8 is 255: what comes behind all of them ends with the next byte
    const behind = Buffer.from(prefix);
    behind.writeUInt8(behind.readUInt8(behind.length - 1) + 1, behind.length - 1);
    return ['AND key >= ? AND key < CAST(? AS TEXT)', prefix, behind];
  }
}
