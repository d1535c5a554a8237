/** All drivers by name. */
import { automergeDrivers } from './automerge.ts';
import { classicLevel } from './classic-level.ts';
import { comlink } from './comlink.ts';
import { documentDrivers, documentServers } from './documents.ts';
import type { Described, Driver } from './driver.ts';
import { copy, nothing, port } from './limits.ts';
import { lmdb, lmdbCopy } from './lmdb.ts';
import { mechanisms } from './mechanisms.ts';

import { providerStatistics, providerSubscribed, providerUncounted } from './observed.ts';

import { postgresqlCopy, postgresqlInsert, postgresqlPacked, postgresqlPipelined } from './postgresql-alone.ts';
import { postgresql, postgresqlTake, provider, providerFull, providerTake, providerTransfer } from './provider.ts';

import { reference } from './reference.ts';
import { sqliteAlone } from './sqlite-alone.ts';
import { betterSqlite3, libsql } from './synchronous-peers.ts';

export const drivers: Readonly<Record<string, Driver>> = {
  provider,
  'provider-full': providerFull,
  'provider-take': providerTake,
  'provider-transfer': providerTransfer,
  'provider-uncounted': providerUncounted,
  'provider-statistics': providerStatistics,
  'provider-subscribed': providerSubscribed,
  reference,
  comlink,
  lmdb,
  'lmdb-copy': lmdbCopy,
  'classic-level': classicLevel,
  libsql,
  'better-sqlite3': betterSqlite3,
  sqlite: sqliteAlone,
  postgresql,
  'postgresql-take': postgresqlTake,
  'postgresql-packed': postgresqlPacked,
  'postgresql-pipelined': postgresqlPipelined,
  'postgresql-insert': postgresqlInsert,
  'postgresql-copy': postgresqlCopy,
  ...mechanisms,
  port,
  copy,
  nothing,
};

/** Also those that store documents, which have other calls. */
export const described: Readonly<Record<string, Described>> = {
  ...drivers,
  ...documentDrivers,
  ...documentServers,
  ...automergeDrivers,
};
