/** A host with several addresses, as names in public clouds have them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freshFolder } from './files.ts';

/** Flags of a program for which any name has these addresses, also in its threads. */
export function namesHave(...addresses: string[]): string[] {
  const preload = join(freshFolder(), 'preload.cjs');
  const found = addresses.map((address) => ({ address, family: 4 }));
  const lookup = `(_, __, callback) => setImmediate(callback, null, ${JSON.stringify(found)})`;
  writeFileSync(preload, `require('node:dns').lookup = ${lookup};`);
  return ['--require', preload];
}
