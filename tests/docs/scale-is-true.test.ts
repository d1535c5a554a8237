/** docs/scale.md: its SQL sets a database up, its queries run, its links lead somewhere, and its figures are those of now. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { postgresqlSchema, SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { filledIn } from '../../bench/scale.ts';
import { describeOnPostgresql, itOnOwnServer, ownServer } from '../support/postgresql.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/scale.md'), 'utf8');

/** Statements of the blocks of SQL whose text comes between two headings. */
function statementsOf(from: string, to: string): string[] {
  const part = page.slice(page.indexOf(`\n${from}\n`), page.indexOf(`\n${to}\n`));
  return [...part.matchAll(/^```sql\n([\s\S]*?)^```/gm)].flatMap(([, text = '']) =>
    text
      .split(/;\n/)
      .map((statement) => statement.trim())
      .filter(Boolean),
  );
}

describe('the page', () => {
  it('has the figures that are calculated now', () => {
    expect(filledIn(page)).toBe(page);
  });
});

describeOnPostgresql('its SQL', () => {
  itOnOwnServer('makes a database in which the program can do all it has to, and nothing to the tables', async () => {
    const server = await ownServer();
    const first = await server.connect();
    const rights = statementsOf('### Roles, database, rights', '### Upkeep');
    const database = rights.findIndex((statement) => statement.startsWith('CREATE DATABASE'));
    for (const statement of rights.slice(0, database + 1)) await first.query(statement);
    await first.end();

    const client = await server.connect('documents');
    const grants = rights.findIndex((statement) => statement.startsWith('GRANT SELECT'));
    for (const statement of rights.slice(database + 1, grants)) await client.query(statement);
    await client.query(postgresqlSchema);
    const upkeep = statementsOf('### Upkeep', '### The program');
    expect(upkeep.length).toBeGreaterThan(5);
    for (const statement of [...rights.slice(grants), ...upkeep]) await client.query(statement);

    const url = server.url('documents', { user: 'documents', password: 'change this' });
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { CreateTables: false });
    const large = new Uint8Array(1_000_000).fill(7);
    await provider.appendPatch(new Uint8Array([1]), 1);
    await provider.appendPatch(new Uint8Array([2]), 2);
    await provider.prunePatches(2);
    await provider.saveSnapshot(large, 1);
    await provider.saveSnapshot(large, 2);
    await provider.saveValue('hash', large);
    await provider.saveValue('long'.repeat(1000), large);
    expect(await provider.loadSnapshot()).toEqual(large);
    expect(await provider.loadValue('hash')).toEqual(large);
    expect(await provider.loadPatchesSince(0)).toEqual([new Uint8Array([2])]);
    await provider.releaseValue('hash');
    expect(await provider.loadValue('hash')).toBeUndefined();

    const queries = [...page.matchAll(/^\| `(SELECT [^`]*)`/gm)].map(([, query = '']) => query);
    expect(queries.length).toBeGreaterThan(3);
    for (const query of queries) await client.query(query);
    await provider.close();

    await client.query('SET SESSION AUTHORIZATION documents');
    for (const statement of [
      'DROP TABLE sds_patches',
      'UPDATE sds_schema SET version = 2',
      'CREATE TABLE sds.more ()',
    ]) {
      await expect(client.query(statement)).rejects.toThrow(/must be owner|permission denied/);
    }
    await client.end();
  });
});
