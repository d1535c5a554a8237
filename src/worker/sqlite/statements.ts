/** The prepared statements of a connection. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { strangeRow } from './errors.ts';
import { firstRow } from './node-sqlite.ts';

/** A statement keeps a copy of what it is bound to: of bytes longer than this it must let go. */
export const LARGE_BYTES = 64 * 1024;

export class Statements {
  readonly database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.database = database;
  }

  /** Prepared once. */
  get(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.database.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }

  /** The first row that a query finds. */
  first(sql: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
    return firstRow(this.get(sql), ...values);
  }

  /** Runs a statement; returns how many rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.get(sql).run(...values).changes);
  }

  /**
   * Runs a statement whose first parameter are bytes and whose last is a condition; returns the number
   * of rows it changed. A statement keeps what it is bound to until it is run again, so after large
   * bytes it is run on none, to no effect.
   */
  write(sql: string, data: Uint8Array, ...others: (string | number)[]): number {
    const changes = this.run(sql, data, ...others, 1);
    if (data.byteLength > LARGE_BYTES) this.run(sql, new Uint8Array(0), ...others, 0);
    return changes;
  }
}

/** The bytes of a row; anything but a BLOB was not written by a provider. */
export function bytesOf(row: Record<string, unknown> | undefined): Uint8Array | undefined {
  if (row === undefined) return undefined;
  if (row.data instanceof Uint8Array) return row.data;
  throw strangeRow(`a column of bytes holds a ${typeof row.data}`);
}
