/**
 * The process by which a server serves a connection, as seen over another one. It may outlive that connection with all its locks,
 * waiting for the rest of a request. Behind a pooler, and in engines that show none, nothing is known of it, and nothing done to it.
 */
import type { Client } from 'pg';
import { textArray } from './arrays.ts';
import type { Connection } from './connection.ts';

/** So soon, in seconds, the server is to notice that a program's machine can't be reached any more; by default after two hours. */
const KEEP_ALIVE = ['idle = 5', 'interval = 2', 'count = 3'].map((what) => ({ text: `SET tcp_keepalives_${what}` }));

/** Its number, and since when there is one of that number. */
const NAME = "pid || ' ' || backend_start";

/** Which one serves a connection. Fails where that is not told. A pooler's is left as it is: it serves others as well. */
export async function backendOf(connection: Connection, client: Client): Promise<Connection['backend']> {
  const text = `SELECT pid, ${NAME} FROM pg_stat_activity WHERE pid = pg_backend_pid()`;
  const { rows } = await connection.one({ text });
  const [pid, name] = rows[0] ?? [];
  if (typeof pid !== 'string' || typeof name !== 'string' || Number(pid) !== processOf(client)) return undefined;
  await connection.run(...KEEP_ALIVE);
  return name;
}

/**
 * Ends those whose connections are lost, if they wait for a request, or its rest. What works, or waits for a standby, is left alone, and what
 * a pooler has given to a program of another name.
 *
 * @returns those at work, each by a name that it has in that transaction only: after it, a pooler may give it to another program
 */
export async function endWaiting(connection: Connection, backends: readonly string[]): Promise<string[]> {
  const inTransaction = `${NAME} || ' ' || xact_start`;
  const { rows } = await connection.one({
    text:
      `SELECT ${inTransaction}, CASE WHEN wait_event = 'ClientRead' THEN pg_terminate_backend(pid) END FROM pg_stat_activity ` +
      `WHERE ARRAY[${NAME}, ${inTransaction}] && $1::text[] AND application_name = current_setting('application_name')`,
    values: [textArray(backends)],
  });
  return rows.flatMap(([name, ended]) => (ended === null ? (name ?? []) : []));
}

/** What one does whose connection says nothing: if it waits for a request, or the rest of one, ours has not arrived. */
export async function stateOf(silent: Client, other: Client): Promise<'at work' | 'gone' | 'unknown'> {
  const { rows } = await other.query({
    text:
      "SELECT pg_backend_pid(), (SELECT CASE WHEN state = 'disabled' THEN 'unknown' " + // track_activities is off
      "WHEN state = 'active' AND wait_event IS DISTINCT FROM 'ClientRead' THEN 'at work' END " +
      'FROM pg_stat_activity WHERE pid = $1)',
    values: [processOf(silent)],
    rowMode: 'array',
  });
  const [own, found] = rows[0] ?? [];
  if (own !== processOf(other)) return 'unknown';
  return found ?? 'gone';
}

function processOf(client: Client): number | null {
  return (client as Client & { processID: number | null }).processID;
}
