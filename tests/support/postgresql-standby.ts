/** A primary with a synchronous standby: what the primary has acknowledged, the standby has. */
import { execFile } from 'node:child_process';
import { appendFileSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PASSWORD, SUPERUSER } from './postgresql-address.ts';
import { type Binaries, identity } from './postgresql-binaries.ts';
import { PostgresqlServer } from './postgresql-server.ts';

export interface Pair {
  primary: PostgresqlServer;
  standby: PostgresqlServer;
  /** How the standby got its copy of the primary. */
  copiedBy: 'pg_basebackup' | 'a copy of the stopped server';
}

/** @param durable - whether both wait for the disk, as servers do that are not a test's */
export async function startPair(binaries: Binaries, durable = false): Promise<Pair> {
  const primary = await PostgresqlServer.start({ binaries, durable });
  const hasBaseBackup = existsSync(join(binaries.folder, 'pg_basebackup'));
  if (!hasBaseBackup) await primary.stop();
  const settings = { hot_standby: 'on' };
  const standby = await PostgresqlServer.prepare({ binaries, copyOf: primary.folder, settings, durable });
  const primaryInfo = `host=127.0.0.1 port=${primary.port} user=${SUPERUSER} password='${PASSWORD}' application_name=standby`;
  if (hasBaseBackup) {
    rmSync(standby.data, { recursive: true, force: true });
    const args = ['-D', standby.data, '-d', primaryInfo, '-R', '-X', 'stream', '-c', 'fast', '--no-sync'];
    await promisify(execFile)(join(binaries.folder, 'pg_basebackup'), args, { ...identity(), cwd: standby.folder });
  } else {
    appendFileSync(
      join(standby.data, 'postgresql.auto.conf'),
      `\nprimary_conninfo = '${primaryInfo.replaceAll("'", "''")}'\n`,
    );
    writeFileSync(join(standby.data, 'standby.signal'), '', { mode: 0o644 });
    await primary.start();
  }
  await standby.start();
  // not a setting of the command line: the copy is not to have it
  await primary.query(`ALTER SYSTEM SET synchronous_standby_names = 'standby'`);
  await primary.query('SELECT pg_reload_conf()');
  for (;;) {
    const [row] = await primary.query<{ sync_state: string }>('SELECT sync_state FROM pg_stat_replication');
    if (row?.sync_state === 'sync') break;
    await new Promise((resolve) => setTimeout(resolve, 20)); // the server tells of it by no event
  }
  return { primary, standby, copiedBy: hasBaseBackup ? 'pg_basebackup' : 'a copy of the stopped server' };
}

/** Resolves once the standby takes writes. */
export async function promote(standby: PostgresqlServer): Promise<void> {
  await standby.query('SELECT pg_promote(true, 60)');
}
