/** Finds what merges: a module that the program names, or the Yjs that the program uses. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MergeSource, YjsSource } from '../../protocol/merging.ts';
import { type MergeModule, mergingBy, type Yjs } from '../../protocol/merging-yjs.ts';

/** There is nothing to merge with: other documents fare no better. */
export class MissingModule extends Error {}

/** Under which names Yjs is published. */
const YJS_NAMES = ['yjs', '@y/y'];

const loaded = new Map<string, MergeModule>();

export async function load(source: MergeSource): Promise<MergeModule> {
  const key = JSON.stringify(source);
  const known = loaded.get(key);
  if (known !== undefined) return known;
  const found = source.kind === 'yjs' ? mergingBy(await findYjs(source), source.gc) : await importFrom(source.url);
  loaded.set(key, found);
  return found;
}

async function importFrom(url: string): Promise<MergeModule> {
  try {
    return namesOf(await import(url));
  } catch (error) {
    throw new MissingModule(`'${url}' can not be loaded: ${(error as Error).message}`, { cause: error });
  }
}

async function findYjs({ url, places, names }: YjsSource): Promise<Yjs> {
  if (url !== undefined) return (await importFrom(url)) as unknown as Yjs;
  const others: string[] = [];
  for (const place of places) {
    const require = createRequire(place.startsWith('file:') ? place : join(place, 'x.js'));
    for (const name of YJS_NAMES) {
      let path: string;
      try {
        path = require.resolve(name);
      } catch {
        continue; // not to be found from here
      }
      const found = await importFrom(pathToFileURL(path).href);
      if (names.every((one) => one in found)) return found as unknown as Yjs;
      others.push(path);
    }
  }
  const looked = others.length === 0 ? `looked from ${places.join(', ')}` : `${others.join(', ')}: of another version`;
  throw new MissingModule(`the program's Yjs was not found (${looked})`);
}

/** A CommonJS module has its names in its default export; not each of them is seen from outside. */
function namesOf(module: object): MergeModule {
  const { default: inside } = module as { default?: unknown };
  return (typeof inside === 'object' && inside !== null ? { ...inside, ...module } : module) as MergeModule;
}
