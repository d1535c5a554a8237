/**
 * What is compiled, and stripped of types, by one process of the tests need not be by the next ones: hundreds load the
 * same TypeScript. The folder is this run's own, since programs that tests write would fill a lasting one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default function compileOnce(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'sds-compiled-'));
  // before the runner starts its processes, which hand it on to theirs
  process.env.NODE_COMPILE_CACHE = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
