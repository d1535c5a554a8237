/** Ordinary troubles of a program's database on PostgreSQL: with the server, the line to it, others who use the database. Each is begun, and ended. */
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import type { SDS_ProviderOptions } from 'sds-persistence-worker';
import { USER } from '../tests/support/postgresql-address.ts';
import { databaseOf, databasesOn } from '../tests/support/postgresql-engine.ts';
import type { PostgresqlServer } from '../tests/support/postgresql-server.ts';
import { TcpProxy } from '../tests/support/tcp-proxy.ts';
import type { Program } from './child-process.ts';
import { withServer } from './engines.ts';
import type { Random } from './random.ts';
import { within } from './rig.ts';
import type { Land, Lands, Life, Trade } from './two-troubles.ts';

interface Victim {
  server: PostgresqlServer;
  /** Between the program and the server. */
  line: TcpProxy;
  database: string;
  life: Life;
  trade: Trade;
  program: Program | undefined;
  random: Random;
}

interface Trouble {
  /** What calls may be rejected with. */
  codes: readonly string[];
  /** Whether it comes to all databases of the server. */
  isEverywhere?: boolean;
  /** Returns what ends it. */
  begin(victim: Victim): () => unknown;
}

const AT_ONCE = 3;
const RETRY_MS = 10;
const PATIENCE_MS = 30_000;
/** Beyond the end of all trouble. */
const LONG_MS = 60_000;
/** What other programs use beyond those of the program's processes. */
const OTHERS = 1_000_000_000_000;
const tables = ['sds_patches', 'sds_snapshots', 'sds_values', 'sds_holders', 'sds_stores', 'sds_claims'] as const;
const modes = ['ACCESS EXCLUSIVE', 'EXCLUSIVE', 'SHARE'] as const;
const REFUSING = `
  CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
  CREATE OR REPLACE TRIGGER refusing BEFORE INSERT ON sds_patches FOR EACH ROW WHEN (NEW.clock % 50 = 7) EXECUTE FUNCTION refuse()`;
const NOT_REFUSING = 'DROP FUNCTION IF EXISTS refuse CASCADE';
/** Rejected only after `RetryForMs`. */
const waited: readonly string[] = ['connection-failed', 'read-only'];

const outside = {
  away: {
    codes: ['connection-failed'],
    isEverywhere: true,
    begin({ server, random }) {
      const stopped = inTurn(server, () => server.stop(random.pick(['fast', 'immediate', 'kill'])));
      return async () => {
        await stopped;
        await inTurn(server, async () => {
          if (!server.isRunning) await server.start();
        });
      };
    },
  },
  halted: {
    codes: ['connection-failed'],
    isEverywhere: true,
    begin({ server }) {
      if (server.isRunning) server.halt('SIGSTOP');
      return () => server.isRunning && server.halt('SIGCONT');
    },
  },
  unreachable: {
    codes: ['connection-failed'],
    begin({ line }) {
      line.refuse();
      line.cutNow();
      return () => line.accept();
    },
  },
  cut: {
    codes: ['connection-failed'],
    begin: ({ line, random }) =>
      again(
        async () => {
          await line.cutAfter(random.chance(0.5) ? 'up' : 'down', 1 + Math.floor(random.next() ** 3 * 100_000));
        },
        () => line.spare(),
      ),
  },
  silent: {
    codes: ['connection-failed'],
    begin({ line }) {
      line.pause();
      return () => line.resume();
    },
  },
  unanswered: {
    codes: ['connection-failed'],
    begin: ({ line, random }) =>
      again(
        () => {
          const whole: Record<string, string> = { COMMIT: 'COMMIT' };
          return line.loseAnswerTo(random.chance(0.5) ? whole : { 'INTO sds_patches': 'INSERT 0' });
        },
        () => line.spare(),
      ),
  },
  late: {
    codes: ['connection-failed'],
    begin: ({ line, random }) =>
      again(
        async () => {
          const late = await line.keepAfter(Math.floor(random.next() ** 2 * 100_000), random.chance(0.5));
          late?.cut();
          await pause(random.below(500));
          await late?.deliver();
        },
        () => line.spare(),
      ),
  },
  'backends ended': {
    codes: ['connection-failed'],
    begin: ({ server, database, random }) =>
      again(async () => {
        await endSessions(server, database);
        await pause(random.below(300));
      }),
  },
  limited: {
    codes: ['connection-failed'],
    begin: (victim) => withSetting(victim, 'CONNECTION LIMIT 0', 'CONNECTION LIMIT -1'),
  },
  'read-only': {
    codes: ['read-only', 'connection-failed'],
    begin: (victim) =>
      withSetting(victim, 'SET default_transaction_read_only = on', 'RESET default_transaction_read_only'),
  },
  'short of time': {
    codes: ['database-busy', 'connection-failed'],
    begin: (victim) => withSetting(victim, 'SET statement_timeout = 20', 'RESET statement_timeout'),
  },
  /** Some patches fail, and no other call with them; to make a trigger, and to take it away, locks the table. */
  refused: {
    codes: ['io-error', 'database-busy'],
    begin({ server, database }) {
      let isOver = false;
      const ask = (sql: string) => server.query(sql, [], database);
      const make = untilDone(
        () => ask(REFUSING),
        () => isOver,
      );
      return async () => {
        isOver = true;
        await make;
        await within(
          PATIENCE_MS,
          'the end of the trigger',
          untilDone(() => ask(NOT_REFUSING)),
        );
      };
    },
  },
  locked: {
    codes: ['database-busy'],
    begin: ({ server, database, random }) => {
      const table = random.pick(tables);
      const mode = random.pick(modes);
      return besides(server, database, async (client) => {
        await client.query(`SET lock_timeout = 1000; BEGIN; LOCK TABLE ${table} IN ${mode} MODE`);
      });
    },
  },
  /** Another process would have the store, and writes it, if it gets it. */
  wanted: {
    codes: ['fenced', 'database-busy'],
    begin({ server, database, life, trade }) {
      const { Ownership = 'exclusive' } = life.options;
      const options = { Ownership, LeaseMs: 60_000, BusyTimeoutMs: PATIENCE_MS, RetryForMs: LONG_MS };
      const other = trade.another(server.url(database), life.stores[0]?.id ?? '', life.style, options);
      let number = OTHERS;
      const end = again(async () => {
        number++;
        await other.write(number);
        await pause(5);
      });
      return async () => {
        end();
        await other.close().catch(() => undefined);
      };
    },
  },
  stopped: {
    codes: [],
    begin({ program }) {
      program?.signal('SIGSTOP');
      return () => program?.signal('SIGCONT');
    },
  },
  slow: {
    codes: [],
    begin({ line, random }) {
      line.answerMs = 1 + random.below(100);
      return () => {
        line.answerMs = 0;
      };
    },
  },
} as const satisfies Record<string, Trouble>;

type Outside = keyof typeof outside;
const isOutside = (kind: string): kind is Outside => kind in outside;

export const servers: Lands = async (report, work) => {
  await Promise.all(Array.from({ length: AT_ONCE }, () => withServer(report, (server) => work(landOn(server)))));
};

function landOn(server: PostgresqlServer): Land {
  const engine = databasesOn(server);
  return {
    kinds: Object.keys(outside),
    optionsOf: (random, isShared): SDS_ProviderOptions => ({
      LeaseMs: random.pick([1000, 1000, 10_000]),
      RetryForMs: random.pick([500, 3000, LONG_MS]),
      Ownership: isShared || random.chance(0.2) ? 'shared' : 'exclusive',
    }),
    mayBeStored: (failed) => failed === 'connection-failed' || failed === 'worker-lost',
    codesOf(kind, isVictim, { RetryForMs, BusyTimeoutMs }) {
      if (!isOutside(kind)) return [];
      const { codes, isEverywhere }: Trouble = outside[kind];
      if (!isVictim && isEverywhere !== true) return [];
      const found = RetryForMs === LONG_MS ? codes.filter((code) => !waited.includes(code)) : codes;
      // the locks of a lost connection last until the server has ended what serves it
      return BusyTimeoutMs === 0 && codes.includes('connection-failed') ? [...found, 'database-busy'] : found;
    },
    codesOfSharing: ['database-busy', 'fenced'],
    async sceneOf(_seed, _kinds, trade) {
      const direct = [await engine.freshPlace(), await engine.freshPlace(), await engine.freshPlace()];
      const database = databaseOf(direct[0] ?? '');
      const line = await TcpProxy.listen(server.port, server.host);
      return {
        places: [server.url(database, { port: line.port }), ...direct.slice(1)],
        envOf: () => ({}),
        begin: (kind, random, life, program) =>
          isOutside(kind) ? outside[kind].begin({ server, line, database, life, trade, program, random }) : undefined,
        rowsOf: (place) => engine.rowsOf(place.replace(`:${line.port}/`, `:${server.port}/`)),
        labelOf: (place) => ` ${databaseOf(place)} on `,
        async end() {
          await line.close();
          for (const place of direct) await engine.discard(place);
        },
      };
    },
  };
}

/** Of each server, what is being done with it. */
const doings = new WeakMap<PostgresqlServer, Promise<void>>();

/** One after the other. */
function inTurn(server: PostgresqlServer, step: () => Promise<void>): Promise<void> {
  const done = (doings.get(server) ?? Promise.resolve()).then(step);
  doings.set(
    server,
    done.catch(() => undefined),
  );
  return done;
}

/** Does it again and again until it is ended; what is under way then is not waited for. */
function again(step: () => Promise<unknown>, atEnd = (): void => undefined): () => void {
  let isOver = false;
  const run = async () => {
    while (!isOver) await step().catch(() => pause(RETRY_MS));
  };
  void run();
  return () => {
    isOver = true;
    atEnd();
  };
}

async function untilDone(step: () => Promise<unknown>, isOver = () => false): Promise<void> {
  while (!isOver()) {
    try {
      return void (await step());
    } catch {
      await pause(RETRY_MS);
    }
  }
}

/** A setting of new sessions of the database; all others are ended. */
function withSetting({ server, database }: Victim, set: string, reset: string): () => Promise<void> {
  let isOver = false;
  const alter = (what: string) => server.query(`ALTER DATABASE ${database} ${what}`);
  const done = untilDone(
    async () => {
      await alter(set);
      await endSessions(server, database);
    },
    () => isOver,
  );
  return async () => {
    isOver = true;
    await done;
    const undo = async () => {
      await alter(reset);
      await endSessions(server, database); // each stays as it was when it began
    };
    await within(PATIENCE_MS, reset, untilDone(undo));
  };
}

/** Of the program, not of others. */
async function endSessions(server: PostgresqlServer, database: string): Promise<void> {
  await server.killBackends(database, `usename = '${USER}'`);
}

/** A connection of another program, on which something is tried until it succeeds. */
function besides(
  server: PostgresqlServer,
  database: string,
  begin: (client: pg.Client) => Promise<void>,
): () => Promise<void> {
  let isOver = false;
  let found: pg.Client | undefined;
  const done = untilDone(
    async () => {
      const client = await server.connect(database);
      try {
        await begin(client);
        found = client;
      } catch (error) {
        await client.end().catch(() => undefined);
        throw error;
      }
    },
    () => isOver,
  );
  return async () => {
    isOver = true;
    await found?.end().catch(() => undefined);
    await done;
    await found?.end().catch(() => undefined);
  };
}
