/** docs/scale.md: its SQL sets a database up, its queries run, its links lead somewhere, and its figures are those of now. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { postgresqlSchema, SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { calculate, filledIn, measuredGivens } from '../../bench/scale.ts';
import { type Givens, target } from '../../bench/scale-model.ts';
import { run } from '../package/a-fresh-machine.ts';
import { describeOnPostgresql, itOnOwnServer, ownServer } from '../support/postgresql.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/scale.md'), 'utf8');

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

  it('says of no figure that it is calculated from it which changes nothing', () => {
    const given = measuredGivens();
    const calculated = (from: Givens) => ({ ...calculate(target, from), given: undefined });
    const asItIs = calculated(given);
    for (const name of Object.keys(given) as (keyof Givens)[]) {
      const changed = { ...given, [name]: { ...given[name], value: given[name].value * 10 } };
      expect(calculated(changed), `ten times ${name}`).not.toEqual(asItIs);
    }
  });

  it('has a command that does it for other numbers', async () => {
    const [command = '', stores, patches, processes] =
      /npm run scale -- --stores (\d+) --patches (\d+) --processes (\d+)/.exec(page) ?? [];
    const [npm = '', ...args] = command.split(' ');
    const { exitCode, stdout, stderr } = await run(npm, args, { cwd: root });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const asked = [stores, patches, processes].map((number) => Number(number).toLocaleString('en-US'));
    expect(stdout).toContain(`${asked[0]} stores, ${asked[1]} patches a second, ${asked[2]} processes: `);
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
