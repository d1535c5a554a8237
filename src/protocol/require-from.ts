import { createRequire } from 'node:module';
import { join } from 'node:path';

/** What a program at this file's URL, or path of a file or folder, gets by `require`: Node asks for a file, which need not be there. */
export function requireFrom(path: string): NodeJS.Require {
  return createRequire(path.startsWith('file:') ? path : join(path, 'x.js'));
}
