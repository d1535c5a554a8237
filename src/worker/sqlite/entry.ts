/** Where a worker thread for SQLite files begins: this file, bundled, travels as text inside the package's main file. */

import { start } from '../start.ts';
import { SqliteEngine } from './engine.ts';

/** After this much quiet the thread returns to its event loop: until then, waking it takes no message. */
const LINGER_MS = 900;

start((provider, control) => new SqliteEngine(provider, control), LINGER_MS);
