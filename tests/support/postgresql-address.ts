/** A PostgreSQL server that runs somewhere on this machine: what tests ask of it by its port. */
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import pg from 'pg';

/** The ordinary user that providers connect as; its password needs escaping in a URL, and is easily found in any output. */
export const USER = 'sds-owner';
export const PASSWORD = 'Pass/Word@73%:x';
export const SUPERUSER = 'postgres';
/** Where a server is that tests start themselves, and what they put between one and a program. */
const HERE = '127.0.0.1';

/** Who may do everything on a server, and the database in which to ask for it. */
export interface Superuser {
  user: string;
  password: string;
  database: string;
}

/** Of a server that was started for tests. */
const ours: Superuser = { user: SUPERUSER, password: PASSWORD, database: 'postgres' };

export class PostgresqlAddress {
  readonly port: number;
  readonly host: string;
  readonly #superuser: Superuser;
  readonly #strategy: string;
  #admin: pg.Client | undefined;
  #databases = 0;

  /** @param strategy - how databases are made, if not in the server's own way */
  constructor(port: number, host = HERE, superuser = ours, strategy?: 'file_copy') {
    this.port = port;
    this.host = host;
    this.#superuser = superuser;
    this.#strategy = strategy === undefined ? '' : `STRATEGY ${strategy}`;
  }

  /** @param port - another one than the server's is of what listens on this machine */
  url(
    database: string,
    { user = USER, password = PASSWORD, port = this.port, parameters = 'sslmode=disable' } = {},
  ): string {
    const host = port === this.port ? this.host : HERE;
    return `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${database}?${parameters}`;
  }

  /** Connects as the superuser, who is let in where others are not. */
  async connect(database = this.#superuser.database): Promise<pg.Client> {
    const { user, password } = this.#superuser;
    const client = new pg.Client({ host: this.host, port: this.port, user, password, database });
    client.on('error', () => undefined); // a server that is ended takes it along
    await client.connect();
    return client;
  }

  /** The processes that wait for a lock in a database, over statements that are like a pattern. */
  waitingForLock(database: string, pattern = '%'): Promise<{ pid: number }[]> {
    const sql = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock' AND query LIKE $2";
    return this.query(sql, [database, pattern]);
  }

  /** A statement of the superuser. */
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

  /** Makes the ordinary user; one that was left behind by an earlier run is used again. */
  async makeUser(): Promise<void> {
    const found = await this.query('SELECT FROM pg_roles WHERE rolname = $1', [USER]);
    const verb = found.length === 0 ? 'CREATE' : 'ALTER';
    await this.query(`${verb} ROLE "${USER}" LOGIN PASSWORD '${PASSWORD}'`);
  }

  /** Takes the ordinary user away, with the databases that were made for it and are still there. */
  async dropUser(): Promise<void> {
    const left = await this.query<{ name: string }>(
      `SELECT datname AS name FROM pg_database WHERE datname LIKE 'fresh\\_%' AND pg_get_userbyid(datdba) = $1`,
      [USER],
    );
    for (const { name } of left) await this.dropDatabase(name);
    await this.query(`DROP ROLE "${USER}"`);
  }

  /** A database without tables of ours, owned by the ordinary user; returns its name. */
  async freshDatabase(): Promise<string> {
    this.#databases++;
    const name = `fresh_${process.pid}_${this.#databases}_${randomBytes(3).toString('hex')}`;
    await this.query(`CREATE DATABASE ${name} OWNER "${USER}" TEMPLATE template0 ${this.#strategy}`);
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

/**
 * A port that nobody listens on. The system gives it to nobody who asks for any, or connects: it may be free for a while, until its
 * server starts, or starts again.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue; // somebody has it
    }
    await promisify(server.close.bind(server))();
    return port;
  }
}
