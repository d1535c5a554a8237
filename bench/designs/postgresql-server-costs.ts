/** What a piece of work costs a PostgreSQL server, as it and the system tell. */
import { readFileSync } from 'node:fs';
import type pg from 'pg';

/** Processor time of the server's process for this connection, in µs; NaN where there is no /proc. */
export function timeOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13);
    return (Number(user) + Number(system)) * 10_000; // Linux counts in hundredths of a second
  } catch {
    return Number.NaN;
  }
}

export async function numberFrom(client: pg.Client, query: string): Promise<number> {
  const { rows } = await client.query<{ number: string }>(`SELECT ${query} AS number`);
  return Number(rows[0]?.number);
}

/** Bytes in the server's log so far. */
export const logged = (client: pg.Client) => numberFrom(client, "pg_current_wal_insert_lsn() - '0/0'");

export const pidOf = (client: pg.Client) => numberFrom(client, 'pg_backend_pid()');
