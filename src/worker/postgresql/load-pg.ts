/** Finds the package `pg` where the application has it: it is an optional peer, and part of no bundle. */
import type { Client } from 'pg';
import { ifPossible } from '../../protocol/if-possible.ts';
import { requireFrom } from '../../protocol/require-from.ts';
import { EngineError } from '../engine.ts';

export interface Pg {
  Client: typeof Client;
}

/** @param searchPaths - files and folders to look from: that of this package, the program's, and the working directory */
export function loadPg(searchPaths: readonly string[]): Pg {
  for (const searchPath of searchPaths) {
    const require = requireFrom(searchPath);
    const path = ifPossible(() => require.resolve('pg'));
    if (path === undefined) continue;
    // with it `pg` would be a binding of C, which has no such connections; the environment is this thread's own copy
    delete process.env.NODE_PG_FORCE_NATIVE;
    try {
      const loaded = require(path) as Pg & { default?: Pg };
      return loaded.default ?? loaded;
    } catch (error) {
      const { message, code } = error as Error & { code?: string };
      throw new EngineError('open-failed', { message: `the package 'pg' can not be loaded: ${message}`, code });
    }
  }
  const message = "a PostgreSQL database needs the package 'pg' beside this one: npm install pg";
  throw new EngineError('open-failed', { message, code: 'MODULE_NOT_FOUND' });
}
