/** A PostgreSQL server that runs somewhere on this machine: what tests ask of it by its port. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import pg from 'pg';

/** The ordinary user that providers connect as; its password needs escaping in a URL, and is easily found in any output. */
export const USER = 'sds-owner';
export const PASSWORD = 'Pass/Word@73%:x';
export const SUPERUSER = 'postgres';

export class PostgresqlAddress {
  readonly port: number;
  #admin: pg.Client | undefined;
  #databases = 0;

  constructor(port: number) {
    this.port = port;
  }

  url(
    database: string,
    { user = USER, password = PASSWORD, port = this.port, parameters = 'sslmode=disable' } = {},
  ): string {
    return `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}?${parameters}`;
  }

  /** Connects as the superuser, who is let in where others are not. */
  async connect(database = 'postgres'): Promise<pg.Client> {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: this.port,
      user: SUPERUSER,
      password: PASSWORD,
      database,
    });
    client.on('error', () => undefined); // a server that is ended takes it along
    await client.connect();
    return client;
  }

  /** A statement of the superuser, in the database `postgres` if none is named. */
  async query<Row extends pg.QueryResultRow>(
    sql: string,
    parameters: unknown[] = [],
    database?: string,
  ): Promise<Row[]> {
    if (database !== undefined) {
      const client = await this.connect(database);
      try {
        return (await client.query<Row>(sql, parameters)).rows;
      } finally {
        await client.end();
      }
    }
    if (this.#admin === undefined) {
      const admin = await this.connect();
      admin.on('end', () => {
        if (this.#admin === admin) this.#admin = undefined;
      });
      this.#admin = admin;
    }
    return (await this.#admin.query<Row>(sql, parameters)).rows;
  }

  /** A database without tables of ours, owned by the ordinary user; returns its name. */
  async freshDatabase(): Promise<string> {
    this.#databases++;
    const name = `fresh_${process.pid}_${this.#databases}_${randomBytes(3).toString('hex')}`;
    await this.query(`CREATE DATABASE ${name} OWNER "${USER}" TEMPLATE template0 STRATEGY wal_log`);
    return name;
  }

  /** Ends the connections of a database (or those that `where` names); returns how many. */
  async killBackends(database: string, where = 'true'): Promise<number> {
    const rows = await this.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid() AND (${where})`,
      [database],
    );
    return rows.length;
  }

  async connectionsOf(database: string): Promise<number> {
    const [row] = await this.query<{ count: string }>(
      `SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
      [database],
    );
    return Number(row?.count);
  }

  async dropDatabase(name: string): Promise<void> {
    await this.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }

  /** Ends this object's own connection. */
  async leave(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    await admin?.end().catch(() => undefined); // it may be lost already
  }
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number }; // it listens on TCP
  await promisify(server.close.bind(server))();
  return port;
}
