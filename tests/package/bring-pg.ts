/** The optional peer `pg`, as an application has it. */
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const modules = join(import.meta.dirname, '../../node_modules');

/** Copies `pg`, and all that it needs, into the `node_modules` of a folder. */
export function bringPg(folder: string): void {
  const wanted = ['pg'];
  const brought = new Set<string>();
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (brought.has(name)) continue;
    brought.add(name);
    cpSync(join(modules, name), join(folder, 'node_modules', name), { recursive: true });
    const { dependencies = {} } = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>;
    };
    wanted.push(...Object.keys(dependencies));
  }
}
