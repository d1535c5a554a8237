/** What a piece of work gets, and what it gives back. */
import type { Driver } from '../drivers/driver.ts';

export interface Task {
  driver: Driver;
  /** An empty folder. */
  folder: string;
  sizes: Readonly<Record<string, number>>;
  /** URL of a PostgreSQL database without tables, where the scenario has a server; `driver.open` knows it. */
  server?: string | undefined;
}

/** Numbers by name; the unit is the end of the name. */
export type Metrics = Record<string, number>;
export type Work = (task: Task) => Promise<Metrics>;
/** Work that knows the drivers by their names: of documents, whose calls are others. */
export type NamedWork = (task: Omit<Task, 'driver' | 'server'> & { who: string }) => Promise<Metrics>;
/** Several cases in one process, in turn. */
export type Together = (task: Task) => Promise<Record<string, Metrics>>;
