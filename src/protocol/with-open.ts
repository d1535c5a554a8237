import { closeSync, openSync } from 'node:fs';

/** What `work` returns, with a file that is open meanwhile. Some network file systems tell only at closing that there is no room. */
export function withOpen<T>(path: string, flags: 'r' | 'r+' | 'wx', work: (file: number) => T, mode?: number): T {
  const file = openSync(path, flags, mode);
  try {
    return work(file);
  } finally {
    closeSync(file);
  }
}
