/** The PostgreSQL server of a scenario: on this machine and disk, waiting for the disk at each commit, gone afterwards. */
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Binaries } from '../tests/support/postgresql-binaries.ts';
import { findBinaries, howToHaveIt } from '../tests/support/postgresql-binaries.ts';
import { PostgresqlServer } from '../tests/support/postgresql-server.ts';

/** As PostgreSQL comes, except that nothing is written on its log's behalf in mid-case: each case begins after a checkpoint. */
const settings = { shared_buffers: '128MB', max_wal_size: '4GB', max_connections: 100 };

export const whyNoServer = (): string | undefined =>
  findBinaries() === undefined ? `there is no PostgreSQL here: ${howToHaveIt}` : undefined;

export class BenchServer {
  readonly #server: PostgresqlServer;

  private constructor(server: PostgresqlServer) {
    this.#server = server;
  }

  /** In `folder`, or, where PostgreSQL's user can't reach that, in the system's folder for temporary files. */
  static async start(folder: string): Promise<BenchServer> {
    mkdirSync(folder, { recursive: true });
    const options = { settings, durable: true };
    const server = await PostgresqlServer.start({ ...options, parent: folder }).catch(() =>
      PostgresqlServer.start({ ...options, parent: tmpdir() }),
    );
    return new BenchServer(server);
  }

  get binaries(): Binaries {
    return this.#server.binaries;
  }

  /** A database of its own for a piece of work, on a server that is at rest. */
  async withDatabase<T>(work: (url: string) => Promise<T>): Promise<T> {
    const database = await this.#server.freshDatabase();
    try {
      await this.#server.query('CHECKPOINT');
      return await work(this.#server.url(database));
    } finally {
      await this.#server.dropDatabase(database);
    }
  }

  stop(): Promise<void> {
    return this.#server.remove();
  }
}
