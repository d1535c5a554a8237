/** One connection: groups of statements that cross in one round trip, and rows of bytes that come by COPY. */
import type { Client } from 'pg';
import { clearInterval, clearTimeout, Promise, setTimeout } from '../../protocol/surroundings.ts';
import { EngineError } from '../engine.ts';
import { copyReader, type TakeField } from './copy-format.ts';
import { type AskElsewhere, type WatchedSocket, watchForSilence } from './silence.ts';
import { ServerError, toEngineError } from './sqlstates.ts';

export interface Statement {
  text: string;
  values?: readonly (string | Buffer | null)[];
}

/** Bytes that were asked for by `encode`, which depends on no setting of the server. */
export function fromHex(hex: string | null | undefined): Buffer {
  return Buffer.from(hex ?? '', 'hex');
}

export interface Result {
  /** Each value as the server writes it, bytes in hexadecimal digits. */
  rows: (string | null)[][];
  count: number;
}

/** What is done with the parts of an answer. */
interface Parts {
  handleDataRow?: (message: { fields: (string | null)[] }) => void;
  handleCommandComplete?: (message: { text: string }) => void;
  handleCopyData?: (message: { chunk: Buffer }) => void;
}

/** What the types of `pg` do not tell of a client's connection. */
interface Wire {
  readonly stream: WatchedSocket;
  readonly ssl: unknown;
  /** What the server says of ways to prove a password. */
  on(event: 'authenticationSASL', listener: (message: { mechanisms: string[] }) => void): void;
  once(event: 'connect' | 'sslconnect' | 'readyForQuery', listener: () => void): void;
  parse(statement: { text: string }): void;
  bind(portal: { values: readonly (string | Buffer | null)[] }): void;
  execute(portal: object): void;
  sync(): void;
}

export function wireOf(client: Client): Wire {
  return (client as unknown as { connection: Wire }).connection;
}

/**
 * To be called before it connects: what `pg` can't read, such as too long a text or a way to log in that it does not know, it throws out
 * of the socket's event, which would end the thread.
 *
 * @param limit - what is to be said of it besides
 */
export function guard(client: Client, limit: () => string): void {
  const wire = wireOf(client);
  let code: 'open-failed' | 'io-error' = 'open-failed';
  wire.once('readyForQuery', () => {
    code = 'io-error';
  });
  // the moment between that in which `pg` begins to listen, and the server's first answer
  wire.once(wire.ssl === false ? 'connect' : 'sslconnect', () => {
    const { stream } = wire;
    for (const read of stream.listeners('data')) {
      stream.off('data', read as (chunk: Buffer) => void);
      stream.on('data', (chunk: Buffer) => {
        try {
          read.call(stream, chunk);
        } catch (error) {
          const message = `what the server has sent can not be read: ${(error as Error).message}${limit()}`;
          // told to whoever has asked for it; asked again, it would only be the same
          stream.destroy(new EngineError(code, { message }));
        }
      });
    }
  });
}

/** A goodbye that nobody answers is not waited for any longer. */
const GOODBYE_MS = 500;

export interface Patience {
  connectMs: number;
  /** For how long callers want to wait for a server that is away. */
  retryForMs: number;
  probeMs: number;
  /** For how long what is carried out now waits for a lock. */
  lockMs: number;
  /** Whether a commit waits for the disk in any case. */
  full: boolean;
  /** For how long a process that is paused in the middle of one keeps its locks. */
  readonly idleMs: number;
}

/** What loads need of one, or of one that gives each query a transaction of its own. */
export type Reading = Pick<Connection, 'one' | 'read' | 'escapeLiteral'>;

export class Connection {
  lost = false;
  /** Whether bytes come by COPY in binary form, a third of the work; otherwise as hexadecimal digits. */
  mayCopy = true;
  /** Since when the server had said nothing, if it was lost for that. */
  silentSince: number | undefined;
  /** The process by which the server serves it. */
  backend: string | undefined;
  /** Whether it was lost because no other one was to be had either. */
  unreachable = false;
  readonly patience: Patience;
  /** What it was lost for, if that was told while nothing was asked. */
  #lostFor: Error | undefined;
  readonly #client: Client;
  readonly #wire: Wire;
  readonly #askElsewhere: AskElsewhere;

  /** @param askElsewhere - asked when the server says nothing: it may be at work for long, or the network be cut */
  constructor(client: Client, askElsewhere: AskElsewhere, patience: Patience) {
    this.#client = client;
    this.#wire = wireOf(client);
    this.#askElsewhere = askElsewhere;
    this.patience = patience;
    const lose = (error?: Error) => {
      this.lost = true;
      this.#lostFor ??= error;
    };
    client.on('error', lose); // what is under way is told of it
    client.on('end', lose);
    // a text holds two digits for each byte, and has at most 512 Mi characters
    const limit = '; without COPY in binary form no patch or record of over 256 MiB can be';
    guard(client, () => (this.mayCopy ? '' : limit));
  }

  /** Carries out statements in one round trip. Unless they begin a transaction they are one, or are undone together. */
  run(...statements: Statement[]): Promise<Result[]> {
    const results: Result[] = [];
    let rows: Result['rows'] = [];
    return this.#exchange(statements, {
      handleDataRow({ fields }) {
        rows.push(fields);
      },
      handleCommandComplete({ text }) {
        results.push({ rows, count: Number(/\d+$/.exec(text)?.[0] ?? 0) });
        rows = [];
      },
    }).then(() => results);
  }

  async one(statement: Statement): Promise<Result> {
    const [result] = await this.run(statement);
    return result ?? { rows: [], count: 0 };
  }

  /** Takes the rows of a query whose columns are all bytes; `before` and `after` are statements without rows that cross with it. */
  async read(
    columns: readonly string[],
    from: string,
    take: TakeField,
    before: readonly Statement[] = [],
    after: readonly Statement[] = [],
  ): Promise<void> {
    const digits = columns.map((column) => `encode(${column}, 'hex')`);
    const text = this.mayCopy
      ? `COPY (SELECT ${columns.join(', ')} ${from}) TO STDOUT (FORMAT binary)`
      : `SELECT ${digits.join(', ')} ${from}`;
    let ended = !this.mayCopy;
    const add = copyReader(take, columns.length);
    await this.#exchange([...before, { text }, ...after], {
      handleCopyData: ({ chunk }) => {
        ended = add(chunk);
      },
      handleDataRow: ({ fields }) => {
        for (const [field, hex] of fields.entries()) take(fromHex(hex), field);
      },
    });
    if (!ended) throw toEngineError(new Error('the server ended a COPY in the middle'));
  }

  #exchange(statements: readonly Statement[], parts: Parts): Promise<void> {
    if (this.#lostFor !== undefined) {
      // `pg` would only say that it is
      return Promise.reject(new ServerError('connection-failed', 'reconnect', this.#lostFor.message));
    }
    return new Promise<void>((resolve, reject) => {
      let over = false;
      const watch = watchForSilence(this.#wire.stream, this.#askElsewhere, this.patience, (since, found) => {
        if (over) return;
        this.silentSince = since;
        this.unreachable = found === 'unreachable';
        this.#wire.stream.destroy(new Error('the server says nothing, and does not work on what it was asked'));
      });
      const end = (error: unknown) => {
        if (over) return;
        over = true;
        clearInterval(watch);
        if (error === undefined) resolve();
        else reject(toEngineError(error));
        exchange.callback(error);
      };
      let failure: unknown;
      const guarded =
        <T>(handle: ((message: T) => void) | undefined) =>
        (message: T) => {
          try {
            handle?.(message);
          } catch (error) {
            failure ??= error; // told once the server is through: until then the connection speaks of this
          }
        };
      /** What `pg` asks of an object that takes part in its protocol, beside its own queries. */
      const exchange = {
        submit: () => this.#submit(statements),
        /** As its own queries have one: tools that trace queries replace it, and so learn when they end. */
        callback: (_: unknown) => {},
        handleError: end,
        handleReadyForQuery: () => end(failure),
        handleRowDescription: () => {},
        handleDataRow: guarded(parts.handleDataRow),
        handleCommandComplete: guarded(parts.handleCommandComplete),
        handleCopyData: guarded(parts.handleCopyData),
      };
      try {
        this.#client.query(exchange as unknown as Parameters<Client['query']>[0]);
      } catch (error) {
        this.drop(); // it may be sent: what is asked next would be carried out behind it
        end(error);
      }
    });
  }

  #submit(statements: readonly Statement[]): void {
    const wire = this.#wire;
    const { stream } = wire;
    stream.cork();
    try {
      for (const { text, values = [] } of statements) {
        wire.parse({ text });
        wire.bind({ values });
        wire.execute({});
      }
      wire.sync();
    } catch (error) {
      // half of it may be sent: nothing that is asked after that would be answered
      stream.destroy(new EngineError('io-error', { message: `it can not be sent: ${(error as Error).message}` }));
    } finally {
      stream.uncork();
    }
  }

  escapeLiteral(text: string): string {
    return this.#client.escapeLiteral(text);
  }

  /** Ends it at once; what is under way fails. */
  drop(): void {
    this.lost = true;
    this.#wire.stream.destroy();
  }

  async close(): Promise<void> {
    if (this.lost) return;
    this.lost = true;
    const limit = setTimeout(() => this.drop(), GOODBYE_MS);
    await this.#client.end();
    clearTimeout(limit);
  }
}
