/** Reads a sound database file. Rows that no provider writes are passed over. */
import { RECORDS_TABLE } from '../../sqlite/schema.ts';
import { OperationError, toFailure } from '../failure.ts';
import { eachStore } from '../files/each-store.ts';
import { countOf } from '../files/verify-values.ts';
import type { RowsPrint, StoreSize } from './ends.ts';
import { forms, listing, READ_ALIKE, type Row, RowReader, type Table, tableOf } from './row-reader.ts';

export class FileReader extends RowReader {
  /** Names of the stores, and the bytes by which the file knows them. */
  readonly #ids = new Map<string, Uint8Array>();
  readonly #hasRecords = this.query(RECORDS_TABLE).length > 0;

  async stores(): Promise<Map<string, StoreSize>> {
    const sizes = new Map<string, StoreSize>();
    for (const table of Object.values(tableOf)) {
      if (table === 'sds_records' && !this.#hasRecords) continue;
      const columns = `total(length(data)) AS bytes, sum(NOT (${forms[table].usual})) AS odd`;
      const nameless = `SELECT NULL AS id, count(*) AS rows, ${columns} FROM ${table} WHERE store_id IS NULL HAVING count(*) > 0`;
      let found = 0;
      const add = (row: Row) => {
        this.#add(sizes, table, row);
        found += Number(row.rows);
      };
      for (const row of this.query(nameless)) add(row);
      try {
        for (const [row] of eachStore(this.statements, table, columns)) {
          add(row);
          await this.pause();
        }
      } catch (error) {
        throw toFailure(error, this.label);
      }
      this.#requireAll(table, found);
    }
    return sizes;
  }

  /** They were found through an index, which may lack some: the table itself has all. */
  #requireAll(table: Table, found: number): void {
    const [all] = this.query(`SELECT count(*) AS rows FROM ${table} NOT INDEXED`);
    if (all?.rows === found) return;
    const detail = `the index of the table '${table}' does not fit it; 'verify' says more, and salvaging reads it without the index`;
    throw new OperationError('database-corrupt', this.label, detail);
  }

  #add(sizes: Map<string, StoreSize>, table: Table, { id, rows, bytes, odd }: Row): void {
    const name = this.textOf(id);
    const size = sizes.get(name) ?? { patches: 0, records: 0, bytes: 0 };
    sizes.set(name, size);
    size.bytes += Number(bytes);
    if (table === 'patches') size.patches = Number(rows);
    if (table === 'sds_records') size.records = Number(rows);
    if (odd !== 0)
      size.trouble = "has rows that no provider writes; 'verify' says which, and salvaging leaves them out";
    if (!(id instanceof Uint8Array)) return;
    const known = this.#ids.get(name) ?? id;
    this.#ids.set(name, known);
    if (Buffer.compare(known, id) !== 0) size.trouble = READ_ALIKE;
  }

  override async valueTotals(): Promise<RowsPrint> {
    const totals = await super.valueTotals();
    if (totals.count === countOf(this.statements.database, 'blobs')) return totals;
    const detail = "there are values that no provider writes; 'verify' says which, and salvaging leaves them out";
    throw new OperationError('database-corrupt', this.label, detail);
  }

  protected override list(table: Table, store: string, after: string, most: number): Row | undefined {
    if (table === 'sds_records' && !this.#hasRecords) return undefined;
    const [which, id] =
      table === 'blobs' ? ["? = ''", ''] : ['store_id = CAST(? AS TEXT)', this.#ids.get(store) ?? store];
    const { usual, name } = forms[table];
    // as one term: no index is searched by the bounds that it names
    const where = `${table} WHERE ${which} AND +(${usual})`;
    const position = table === 'patches' ? 'clock' : 'rowid';
    return this.query(listing('rowid', `length(data) + length(${name})`, position, where), id, after, most)[0];
  }

  protected override read(table: Table, columns: string, rows: string): Row[] {
    const listed = `(SELECT value FROM json_each(?)) AS listed CROSS JOIN ${table} ON ${table}.rowid = value`;
    return this.query(`SELECT ${columns} FROM ${listed}`, `[${rows}]`);
  }
}
