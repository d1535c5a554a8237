/** The process of one piece of work and one driver, or several in turn: runs it once and tells its parent the numbers. */
import { awaiting } from './designs/awaiting.ts';
import { copyOne } from './designs/copy.ts';
import { delays } from './designs/delays.ts';
import { handOver } from './designs/hand-over.ts';
import { insert } from './designs/insert.ts';
import { postgresqlInsert } from './designs/postgresql-insert.ts';
import { postgresqlLoad, postgresqlSave } from './designs/postgresql-large.ts';
import { postgresqlHolder, postgresqlPrune } from './designs/postgresql-upkeep.ts';
import { promiseAll } from './designs/promise-all.ts';
import { read } from './designs/read.ts';
import { starting } from './designs/starting.ts';
import { wakes } from './designs/wakes.ts';
import { described, drivers } from './drivers/index.ts';
import { automergeSaves } from './work/automerge.ts';
import { awaited } from './work/awaited.ts';
import { burst } from './work/burst.ts';
import { documentOpening } from './work/document-opening.ts';
import { documentServer, documentServerKilled } from './work/document-server.ts';
import { documentUpdates } from './work/document-updates.ts';
import { failover } from './work/failover.ts';
import { growth } from './work/growth.ts';
import { load } from './work/load.ts';
import { many } from './work/many.ts';
import {
  memory,
  memoryEmptyWorker,
  memoryReference,
  memoryWithoutArenaExchange,
  memoryWithoutYoungBound,
} from './work/memory.ts';
import { mixed } from './work/mixed.ts';
import { oneAtATime } from './work/one-at-a-time.ts';
import { openMany } from './work/open-many.ts';
import { operations } from './work/operations.ts';
import { operationsBeside } from './work/operations-beside.ts';
import { paced } from './work/paced.ts';
import { pacedMany } from './work/paced-many.ts';
import { smallLoads } from './work/small-loads.ts';
import { snapshot } from './work/snapshot.ts';
import { start, startEmptyWorker, startReference } from './work/start.ts';
import { stretch } from './work/stretch.ts';
import type { NamedWork, Together, Work } from './work/work.ts';

export interface Order {
  work: string;
  driver: string;
  folder: string;
  sizes: Record<string, number>;
  /** URL of a PostgreSQL database without tables. */
  server?: string | undefined;
}

const works: Record<string, Work> = {
  burst,
  failover,
  growth,
  load,
  many,
  mixed,
  oneAtATime,
  openMany,
  operations,
  paced,
  pacedMany,
  smallLoads,
  snapshot,
  start,
  startReference,
  startEmptyWorker,
  stretch,
  memory,
  memoryReference,
  memoryEmptyWorker,
  memoryWithoutArenaExchange,
  memoryWithoutYoungBound,
  insert,
  promiseAll,
  copyOne,
  handOver,
  postgresqlInsert,
  postgresqlSave,
  postgresqlLoad,
  postgresqlPrune,
  postgresqlHolder,
  read,
  delays,
  wakes,
  starting,
};

const togetherWorks: Record<string, Together> = { awaited, awaiting, operationsBeside };

const namedWorks: Record<string, NamedWork> = {
  automergeSaves,
  documentUpdates,
  documentOpening,
  documentServer,
  documentServerKilled,
};

process.once('message', async (order: Order) => {
  const { folder, sizes, server } = order;
  const named = namedWorks[order.work];
  if (named !== undefined && order.driver in described) {
    const metrics = await named({ who: order.driver, folder, sizes });
    process.send?.(metrics, () => process.exit());
    return;
  }
  const work = works[order.work] ?? togetherWorks[order.work];
  const driver = drivers[order.driver];
  if (work === undefined || driver === undefined) throw new Error(`no work ${order.work} for ${order.driver}`);
  const metrics = await work({
    driver: { ...driver, open: (where) => driver.open(where, server) },
    folder,
    sizes,
    server,
  });
  process.send?.(metrics, () => process.exit());
});
