/** Runs the package's command line as a user would. */
import { join } from 'node:path';
import { type Ended, run } from '../package/a-fresh-machine.ts';

const bin = join(import.meta.dirname, '../../dist/bin.js');

export function command(
  args: readonly string[],
  {
    cwd = import.meta.dirname,
    node = process.execPath,
    flags = [] as string[],
    env = {} as Record<string, string>,
  } = {},
): Promise<Ended> {
  return run(node, [...flags, bin, ...args], { cwd, env });
}

export interface Document {
  Command: string;
  Ok: boolean;
  Results: { Path: string; Ok: boolean; Result?: Record<string, unknown>; Error?: { Code: string; Message: string } }[];
}

/** The same with `--json`; fails if there is anything but one document. */
export async function documentOf(
  args: readonly string[],
  options: { cwd?: string } = {},
): Promise<Document & { exitCode: number | null }> {
  const { stdout, stderr, exitCode } = await command([...args.slice(0, 1), '--json', ...args.slice(1)], options);
  if (stderr !== '') throw new Error(stderr);
  return { ...(JSON.parse(stdout) as Document), exitCode };
}
