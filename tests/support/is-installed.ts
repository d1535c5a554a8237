/** Whether the packages of a folder with a lock file of its own are there. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** npm writes the file looked at last; one that is older than the lock file belongs to another installation. */
export function isInstalled(folder: string): boolean {
  const mark = join(folder, 'node_modules/.package-lock.json');
  return existsSync(mark) && statSync(mark).mtimeMs >= statSync(join(folder, 'package-lock.json')).mtimeMs;
}
