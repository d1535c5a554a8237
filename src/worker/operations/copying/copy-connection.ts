/** A connection of a copy to a PostgreSQL database: its failures are those of operations, and its transactions are tried again. */
import { serverSentences } from '../../../protocol/errors.ts';
import type { PostgresqlTarget } from '../../../protocol/postgresql/url.ts';
import { labelOf } from '../../../protocol/postgresql/url.ts';
import { clearInterval, pause, setInterval } from '../../../protocol/surroundings.ts';
import { EngineError } from '../../engine.ts';
import { endWaiting } from '../../postgresql/backend.ts';
import { connect } from '../../postgresql/connect.ts';
import type { Connection, Result, Statement } from '../../postgresql/connection.ts';
import type { Pg } from '../../postgresql/load-pg.ts';
import { ServerError } from '../../postgresql/sqlstates.ts';
import { ALL_ROWS, BEGIN, COMMIT, inTransaction, UNLIMITED } from '../../postgresql/transactions.ts';
import { OperationError } from '../failure.ts';

const CONNECT_MS = 5000;
/** A server that is not seen to work says nothing for no longer than this. */
const SILENCE_MS = 60_000;
const PATIENCE = {
  connectMs: CONNECT_MS,
  retryForMs: SILENCE_MS,
  probeMs: CONNECT_MS,
  lockMs: 0,
  full: false,
  // of a copy whose machine is gone the server hears nothing: the next one would wait for its rows
  idleMs: 60_000,
};
/** Far within the time for which a server keeps a transaction in which nothing is asked. */
const ASK_EVERY_MS = 60_000;
const MOST_ATTEMPTS = 10;
const LONGEST_PAUSE_MS = 200;

export class CopyConnection {
  readonly label: string;
  readonly connection: Connection;
  readonly #open: () => Promise<CopyConnection>;
  #asking: NodeJS.Timeout | undefined;

  private constructor(target: PostgresqlTarget, connection: Connection, open: () => Promise<CopyConnection>) {
    this.label = labelOf(target);
    this.connection = connection;
    this.#open = open;
  }

  static async open(pg: Pg, target: PostgresqlTarget, onlyReads = false): Promise<CopyConnection> {
    try {
      const connection = await connect(pg, target, PATIENCE, onlyReads);
      return new CopyConnection(target, connection, () => CopyConnection.open(pg, target, onlyReads));
    } catch (error) {
      throw failureOf(error, labelOf(target));
    }
  }

  async use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    try {
      return await work(this.connection);
    } catch (error) {
      throw failureOf(error, this.label, this.connection);
    }
  }

  run(...statements: Statement[]): Promise<Result[]> {
    return this.use((connection) => connection.run(...statements));
  }

  async rows(text: string, ...values: (string | Buffer | null)[]): Promise<(string | null)[][]> {
    const [result] = await this.run({ text, values });
    return result?.rows ?? [];
  }

  /** In the place of this one, which is lost: what that has left at the server, which may hold locks, is ended. */
  async another(): Promise<CopyConnection> {
    const { backend } = this.connection;
    const other = await this.#open();
    // without the right to do so, it takes until the server ends it
    if (backend !== undefined) await endWaiting(other.connection, [backend]).catch(() => []);
    return other;
  }

  /** Carries out `work` in a transaction, again if the server had to undo it for another's sake. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await inTransaction(this.connection, async () => {
          const idle = { text: `SET LOCAL idle_in_transaction_session_timeout = ${PATIENCE.idleMs}` };
          await this.run(BEGIN, ALL_ROWS, idle, UNLIMITED);
          const result = await work();
          await this.run(COMMIT);
          return result;
        });
      } catch (error) {
        // a source's transaction can not be begun anew: it was that of one moment
        const isOwn = error instanceof ServerFailure && error.connection === this.connection;
        if (!isOwn || error.retry !== 'again' || attempt === MOST_ATTEMPTS) throw error;
        await pause(Math.random() * LONGEST_PAUSE_MS);
      }
    }
  }

  /** Until it is closed, the server is asked something now and then: a transaction stays, however long others take. */
  keepAsking(): void {
    let isAsked = false;
    const ask = async () => {
      if (isAsked) return;
      isAsked = true;
      await this.run({ text: 'SELECT 1' }).catch(() => undefined); // whoever asks next is told
      isAsked = false;
    };
    this.#asking ??= setInterval(() => void ask(), ASK_EVERY_MS);
  }

  /** The same for any URL that leads to the same tables. */
  async whichDatabase(): Promise<string> {
    const sql =
      "SELECT current_database(), current_schema(), to_regclass('sds_patches')::oid, pg_postmaster_start_time(), inet_server_port()";
    return JSON.stringify(await this.rows(sql));
  }

  async close(): Promise<void> {
    clearInterval(this.#asking);
    await this.connection.close();
  }
}

/** As a provider has them, where they do not speak of its options and calls. */
const sentences: typeof serverSentences = {
  ...serverSentences,
  'connection-failed': 'the server could not be reached, or was lost; check the URL and the server, and try again',
  'database-busy': 'a lock was not to be had, or a statement took longer than the server allows; try again',
};

export class ServerFailure extends OperationError {
  readonly retry: ServerError['retry'] | undefined;
  readonly connection: Connection | undefined;

  constructor(error: EngineError, label: string, connection?: Connection) {
    const { code, message, reported } = error;
    super(code, label, (message.includes('; ') ? undefined : sentences[code]) ?? message, reported);
    this.retry = error instanceof ServerError ? error.retry : undefined;
    this.connection = connection;
  }
}

function failureOf(error: unknown, label: string, connection?: Connection): unknown {
  return error instanceof EngineError ? new ServerFailure(error, label, connection) : error;
}
