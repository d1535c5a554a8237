/**
 * What a copy has done already, in a table beside the data and written in the same transactions: a copy that was cut
 * off goes on from there. When it has ended, nothing of it is kept.
 */
import type { Result, Statement } from '../../postgresql/connection.ts';
import { type CopyConnection, textArray } from './copy-connection.ts';

export class CopyRecords {
  readonly #server: CopyConnection;

  constructor(server: CopyConnection) {
    this.#server = server;
  }

  /**
   * @param sources - keys of sources, and what they are, for people
   * @returns those of which a copy was begun before, and did not end
   */
  async begin(sources: ReadonlyMap<string, string>, ...last: Statement[]): Promise<string[]> {
    return this.#server.transaction(
      async () => {
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

  /** Reference counts that were added for values, of those that are still there. */
  async values(source: string, names: readonly string[]): Promise<Map<string, number>> {
    return countsOf(
      await this.#server.one(
        "SELECT name, ref_count FROM sds_copies WHERE source = $1 AND kind = 'value' AND name = ANY($2::text[]) " +
          'AND EXISTS (SELECT 1 FROM sds_values WHERE hash = sds_copies.name)',
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

  /** Without values, those that an earlier call has added stay on record: one that copies them must not add them again. */
  async end(sources: readonly string[], withValues: boolean, ...last: Statement[]): Promise<void> {
    const some = withValues
      ? ''
      : " AND (kind = 'store' OR NOT EXISTS (SELECT 1 FROM sds_copies v WHERE v.source = sds_copies.source AND v.kind = 'value'))";
    await this.#server.transaction(
      async () => {
        await this.#server.one(`DELETE FROM sds_copies WHERE source = ANY($1::text[])${some}`, textArray(sources));
      },
      ...last,
    );
  }
}

function countsOf({ rows }: Result): Map<string, number> {
  return new Map(rows.map(([name, count]) => [String(name), Number(count)]));
}
