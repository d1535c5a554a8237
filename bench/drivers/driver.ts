/** What a driver is: one way of storing patches, behind the same few calls for each piece of work. */

export interface Store {
  /** Resolves once it can be used; where it is missing, it can be at once. */
  ready?(): Promise<void>;
  /** Stores a patch; a promise, or nothing if it is committed at return. */
  appendPatch(patch: Uint8Array, clock: number): unknown;
  saveSnapshot(data: Uint8Array): unknown;
  loadSnapshot(): Promise<Uint8Array | undefined> | Uint8Array | undefined;
  loadPatchesSince(clock: number): Promise<Uint8Array[]> | Uint8Array[];
}

export interface Database {
  store(id: string): Store;
  /** Resolves once everything called before is committed; where it is missing, the promises say so. */
  settle?(): unknown;
  close(): unknown;
}

/** What the output says of a driver, and what it needs. */
export interface Described {
  title: string;
  /** What "committed" means here, for the README. */
  committed: string;
  /** The npm package in `bench/node_modules` that it needs. */
  peer?: string;
}

export interface Driver extends Described {
  /** Whether its file is the SQLite file of the provider. */
  sharesFile?: boolean;
  /** @param server - URL of a PostgreSQL database without tables, where the scenario has a server */
  open(folder: string, server?: string): Promise<Database> | Database;
}

/** Peers are imported by name, untyped: type checking must not need `bench/node_modules`. */
export async function importPeer<T>(name: string): Promise<T> {
  return (await import(name)) as T;
}
