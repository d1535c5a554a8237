/** Connects to the first host of a URL that takes writes. */
import { readFileSync } from 'node:fs';
import net from 'node:net';
import type { Client, ClientConfig } from 'pg';
import type { PostgresqlTarget } from '../../protocol/postgresql/url.ts';
import { EngineError } from '../engine.ts';
import { backendOf, stateOf } from './backend.ts';
import { Connection, guard, type Patience, wireOf } from './connection.ts';
import type { Pg } from './load-pg.ts';
import type { AskElsewhere } from './silence.ts';
import { isSqlState, ServerError, toEngineError } from './sqlstates.ts';

type Host = PostgresqlTarget['hosts'][number];

const KEEP_ALIVE_MS = 5000;

/** How many addresses of a host are tried within the time for a connection, if none answers. */
const ADDRESSES_IN_TIME = 5;
/** Node's own time for each, 250 ms unless a flag has raised it: too short for one that is far away. */
const OF_ADDRESS_MS = net.getDefaultAutoSelectFamilyAttemptTimeout();

/** Of a server that shuts down, or starts. */
const SHUT_DOWN = '57P';
const AWAY = ['connection-failed', 'reconnect'] as const;
const REFUSED = ['open-failed', 'no'] as const;
/** What codes, or classes of them, mean that are told whoever wants to be let in. */
const atTheDoor: Readonly<Record<string, readonly [EngineError['code'], ServerError['retry']]>> = {
  // what the URL asks for by `options`: there is no such setting, or not with this value, or not for whoever connects
  '22': REFUSED,
  '42': REFUSED, // also no right to connect to the database
  '55P02': REFUSED,
  P0001: REFUSED, // an operator's trigger for whoever logs in
  '53200': AWAY, // no memory: as if there were too many connections
  '55000': AWAY, // the database takes none now, such as one that is about to be replaced
  XX000: AWAY, // of a pooler, whatever is wrong: it has no room, or no server
};

/** What PgBouncer says of a wrong password or an unknown user, and Supavisor of the latter, by codes for other things. */
const refusedByPooler = /^(SASL|password) authentication failed|^no such user|tenant( or |\/)user .*not found/i;

/** The way to prove a password that is bound to the TLS connection (RFC 5929, `tls-server-end-point`). */
const WITH_BINDING = 'SCRAM-SHA-256-PLUS';
const NO_BINDING =
  'channel_binding=require, and the server offers none on this connection: it takes TLS and a password of SCRAM-SHA-256; or write channel_binding=prefer';

const QUESTION = { text: 'SHOW transaction_read_only' };
/** Not every engine has it. Asked along with that, it takes no round trip. */
const COPY = { text: "COPY (SELECT ''::bytea) TO STDOUT (FORMAT binary)" };

const APPLICATION_NAME = 'sds-persistence-worker';

/**
 * Tries the hosts in turn; after a failover another one takes the writes.
 *
 * @param onlyReads - whether one that takes no writes will do, where none does: it may lag behind
 */
export async function connect(
  pg: Pg,
  target: PostgresqlTarget,
  patience: Patience,
  onlyReads = false,
): Promise<Connection> {
  let failure: EngineError | undefined;
  for (const toWrite of onlyReads ? [true, false] : [true]) {
    for (const host of target.hosts) {
      try {
        return await connectTo(pg, target, host, patience, toWrite);
      } catch (error) {
        const found = toEngineError(error);
        // what another host may still make good is worth less than a server that has refused
        if (failure === undefined || !(found instanceof ServerError) || found.retry !== 'reconnect') failure = found;
      }
    }
  }
  throw failure ?? new EngineError('open-failed', { message: 'no host is named' });
}

async function connectTo(
  { Client }: Pg,
  target: PostgresqlTarget,
  address: Host,
  patience: Patience,
  toWrite: boolean,
): Promise<Connection> {
  const config = configOf(target, address, patience);
  const client = new Client(config);
  const askElsewhere = () => {
    const limits = { connectionTimeoutMillis: patience.probeMs, query_timeout: patience.probeMs };
    return seenBy(new Client({ ...config, ...limits }), client, patience.probeMs);
  };
  const connection = new Connection(client, askElsewhere, patience);
  let offersBinding = false;
  wireOf(client).on('authenticationSASL', ({ mechanisms }) => {
    offersBinding = mechanisms.includes(WITH_BINDING);
  });
  try {
    await connectWithin(patience.connectMs, client);
    if (target.channelBinding && !offersBinding) throw new EngineError('open-failed', { message: NO_BINDING });
    const [readOnly] = await connection.run(QUESTION, COPY).catch((error) => {
      if (connection.lost) throw error;
      connection.mayCopy = false; // if that was not it, it fails again
      return connection.run(QUESTION);
    });
    if (toWrite && readOnly?.rows[0]?.[0] === 'on') {
      const message = `${address.host}:${address.port} is a standby, or default_transaction_read_only is on there`;
      throw new ServerError('read-only', 'reconnect', message, '25006');
    }
    connection.backend = await backendOf(connection, client).catch((error) => {
      if (connection.lost) throw error;
      return undefined; // an engine that has no such things
    });
    return connection;
  } catch (error) {
    connection.drop();
    throw refusalOf(toEngineError(error), client.user ?? '');
  }
}

function configOf(target: PostgresqlTarget, address: Host, { connectMs }: Patience): ClientConfig {
  const { user, database, password, options, channelBinding } = target;
  return {
    ...address,
    user,
    password,
    database,
    options,
    ssl: tlsOf(target),
    enableChannelBinding: channelBinding,
    connectionTimeoutMillis: connectMs,
    application_name: APPLICATION_NAME,
    // a peer that is gone is noticed while nothing is asked
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  };
}

async function connectWithin(timeMs: number, client: Client): Promise<void> {
  // it is the thread's, whose other databases have other times; `pg` takes no such option, and what it begins here takes this
  net.setDefaultAutoSelectFamilyAttemptTimeout(Math.max(OF_ADDRESS_MS, Math.ceil(timeMs / ADDRESSES_IN_TIME)));
  await client.connect();
}

/** What another connection, made for that alone, shows of one that is silent. */
async function seenBy(other: Client, silent: Client, timeMs: number): ReturnType<AskElsewhere> {
  other.on('error', () => {}); // told by `connect`, or of no interest any more
  guard(other, () => '');
  let isThere = false;
  try {
    await connectWithin(timeMs, other);
    isThere = true; // its answer may wait for a connection of a pooler
    const found = await stateOf(silent, other);
    other.end().catch(() => {}); // it has answered
    return found;
  } catch (error) {
    wireOf(other).stream.destroy();
    const { code, reported } = toEngineError(error);
    const isAway = code === 'connection-failed' && (!isSqlState(reported.code) || reported.code.startsWith(SHUT_DOWN));
    return isAway && !isThere ? 'unreachable' : 'unknown'; // one that has no room is there
  }
}

/** A server that refuses a user says whom, in quotation marks of its language, or a pooler does. */
function refusalOf(error: EngineError, user: string): EngineError {
  if (!(error instanceof ServerError)) return error;
  const name = user.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  const message = error.message.replace(
    new RegExp(`["„\\p{Pi}\\p{Pf}]\\s?${name}\\s?["\\p{Pi}\\p{Pf}]|tenant/user ${name}`, 'gu'),
    'this user',
  );
  const { code: reported = '' } = error.reported;
  const isRefused = /^(08P01|XX000)$/.test(reported) && refusedByPooler.test(error.message);
  const known = isRefused ? REFUSED : (atTheDoor[reported] ?? atTheDoor[reported.slice(0, 2)]);
  const [code, retry] = known ?? [error.code, error.retry];
  return new ServerError(code, retry, message, error.reported.code);
}

function tlsOf({ tls, tlsFiles }: PostgresqlTarget): ClientConfig['ssl'] {
  if (tls === 'disable') return false;
  try {
    const files = Object.entries(tlsFiles).map(([name, path]) => [name, path && readFileSync(path, 'utf8')]);
    return {
      ...Object.fromEntries(files),
      rejectUnauthorized: tls !== 'require',
      // whoever it is, as long as the authority vouches for it
      ...(tls === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
    };
  } catch (error) {
    throw new EngineError('open-failed', { message: `TLS: ${(error as Error).message}` });
  }
}
