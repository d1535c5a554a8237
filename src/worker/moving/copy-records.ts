/**
 * What a copy has done already, in a table beside the data and written in the same transactions: a copy that was cut
 * off goes on from there. The table is made by a copy, and removed by the last one that ends.
 */
import type { Result, Statement } from '../postgresql/connection.ts';
import { type Server, ServerFailure, textArray } from './server.ts';

const TABLE =
  'CREATE TABLE IF NOT EXISTS sds_copies (source text NOT NULL, kind text NOT NULL, name text NOT NULL, ' +
  'ref_count bigint, print text, PRIMARY KEY (source, kind, name))';
/** Copies that begin and end do so one after the other: else one would remove the table of another. */
const ONE_AT_A_TIME = 'SELECT version FROM sds_schema WHERE id = 1 FOR UPDATE';
const NO_RIGHTS = '42501';

export class CopyRecords {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  /**
   * @param sources - keys of sources, and what they are, for people
   * @returns those of which a copy was begun before, and did not end
   */
  async begin(sources: ReadonlyMap<string, string>, ...last: Statement[]): Promise<string[]> {
    return this.#server.transaction(
      async () => {
        await this.#server.one(ONE_AT_A_TIME);
        const [row] = await this.#server.rows("SELECT to_regclass('sds_copies') IS NULL");
        if (row?.[0] === 't') await this.#server.one(TABLE);
        const begun = await this.#server.rows(
          "INSERT INTO sds_copies (source, kind, name, print) SELECT s, 'copy', '', p FROM unnest($1::text[], $2::text[]) AS u (s, p) " +
            'ON CONFLICT (source, kind, name) DO NOTHING RETURNING source',
          textArray([...sources.keys()]),
          textArray([...sources.values()]),
        );
        const fresh = new Set(begun.map(([source]) => source));
        return [...sources.keys()].filter((source) => !fresh.has(source));
      },
      ...last,
    );
  }

  /** Prints of the stores that were copied, as they were then. */
  async stores(source: string, names: readonly string[]): Promise<Map<string, string>> {
    const rows = await this.#server.rows(
      "SELECT name, print FROM sds_copies WHERE source = $1 AND kind = 'store' AND name = ANY($2::text[])",
      source,
      textArray(names),
    );
    return new Map(rows.map(([name, print]) => [String(name), String(print)]));
  }

  async addStores(source: string, prints: ReadonlyMap<string, string>): Promise<void> {
    await this.#server.one(
      "INSERT INTO sds_copies (source, kind, name, print) SELECT $1, 'store', n, p FROM unnest($2::text[], $3::text[]) AS u (n, p) " +
        'ON CONFLICT (source, kind, name) DO UPDATE SET print = excluded.print',
      source,
      textArray([...prints.keys()]),
      textArray([...prints.values()]),
    );
  }

  /** Reference counts that were added for values. */
  async values(source: string, names: readonly string[]): Promise<Map<string, number>> {
    return countsOf(
      await this.#server.one(
        "SELECT name, ref_count FROM sds_copies WHERE source = $1 AND kind = 'value' AND name = ANY($2::text[])",
        source,
        textArray(names),
      ),
    );
  }

  /** All of them, some at a time. */
  async *allValues(source: string, pageRows: number): AsyncGenerator<Map<string, number>> {
    for (let after = ''; ; ) {
      const counts = countsOf(
        await this.#server.one(
          `SELECT name, ref_count FROM sds_copies WHERE source = $1 AND kind = 'value' AND name > $2 ORDER BY name LIMIT ${pageRows}`,
          source,
          after,
        ),
      );
      const last = [...counts.keys()].at(-1);
      if (last === undefined) return;
      yield counts;
      after = last;
    }
  }

  async addValues(source: string, counts: ReadonlyMap<string, number>): Promise<void> {
    await this.#server.one(
      "INSERT INTO sds_copies (source, kind, name, ref_count) SELECT $1, 'value', n, c FROM unnest($2::text[], $3::bigint[]) AS u (n, c) " +
        'ON CONFLICT (source, kind, name) DO UPDATE SET ref_count = excluded.ref_count',
      source,
      textArray([...counts.keys()]),
      textArray([...counts.values()].map(String)),
    );
  }

  async removeValue(source: string, name: string): Promise<void> {
    await this.#server.one("DELETE FROM sds_copies WHERE source = $1 AND kind = 'value' AND name = $2", source, name);
  }

  /** The copy is done: nothing of it is kept. */
  async end(sources: readonly string[], ...last: Statement[]): Promise<void> {
    await this.#server.transaction(
      async () => {
        await this.#server.one(ONE_AT_A_TIME);
        await this.#server.one('DELETE FROM sds_copies WHERE source = ANY($1::text[])', textArray(sources));
        const left = await this.#server.rows('SELECT 1 FROM sds_copies LIMIT 1');
        if (left.length > 0) return;
        await this.#server.one('SAVEPOINT before_drop');
        try {
          await this.#server.one('DROP TABLE sds_copies');
        } catch (error) {
          // made by somebody else, who may have wanted it to stay
          if (!(error instanceof ServerFailure) || error.sqlState !== NO_RIGHTS) throw error;
          await this.#server.one('ROLLBACK TO SAVEPOINT before_drop');
        }
      },
      ...last,
    );
  }
}

function countsOf({ rows }: Result): Map<string, number> {
  return new Map(rows.map(([name, count]) => [String(name), Number(count)]));
}
