/** Puts Yjs beside the package, as `npm install yjs` would. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';

export function bringYjs(folder: string): void {
  for (const name of ['yjs', 'lib0', 'isomorphic.js']) {
    cpSync(join(import.meta.dirname, '../../node_modules', name), join(folder, 'node_modules', name), {
      recursive: true,
    });
  }
}
