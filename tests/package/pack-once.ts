/** Packs the built package before the first test, once for all files. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { npm } from '../support/npm.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Path of the packed package. */
    tarball: string;
  }
}

export default function packOnce(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'sds-packed-'));
  const [program, ...args] = npm;
  // without scripts: `prepack` would build anew, while tests may already load what is built
  const output = execFileSync(program, [...args, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: join(import.meta.dirname, '../..'),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [packed] = JSON.parse(output) as { filename: string }[];
  if (packed === undefined) throw new Error(`npm pack packed nothing: ${output}`);
  project.provide('tarball', join(folder, packed.filename));
  return () => rmSync(folder, { recursive: true, force: true });
}
