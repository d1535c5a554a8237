/** Finds what merges: a module that the program names, or the Yjs that the program uses. */
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MergeSource, YjsSource } from '../../protocol/merge-messages.ts';
import { type MergeModule, mergingBy } from '../../protocol/merging-yjs.ts';
import { requireFrom } from '../../protocol/require-from.ts';
import type { YjsDoc, YjsModule } from '../../protocol/yjs.ts';

type Yjs = YjsModule<YjsDoc>;

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

/** A CommonJS module has its names in its default export; not each of them is seen from outside. */
function namesOf(module: object): MergeModule {
  const { default: inside } = module as { default?: unknown };
  return (typeof inside === 'object' ? { ...inside, ...module } : module) as MergeModule;
}

async function findYjs({ url, searchPaths, names }: YjsSource): Promise<Yjs> {
  if (url !== undefined) return (await importFrom(url)) as unknown as Yjs;
  const refused = new Set<string>();
  for (const candidate of candidatesFrom(searchPaths)) {
    try {
      const found = await importFrom(candidate);
      if (names.every((name) => name in found)) return found as unknown as Yjs;
      refused.add(`'${candidate}' is another version than the program's`);
    } catch (error) {
      refused.add((error as Error).message); // there may be another form of it, or another copy
    }
  }
  const reasons =
    refused.size > 0 ? [...refused].join('; ') : `there is none to be found from ${searchPaths.join(', ')}`;
  throw new MissingModule(reasons);
}

/** The modules that programs at these paths get, as ES modules and as CommonJS. */
function* candidatesFrom(searchPaths: readonly string[]): Generator<string> {
  for (const searchPath of searchPaths) {
    const require = requireFrom(searchPath);
    for (const name of YJS_NAMES) {
      try {
        const path = require.resolve(`${name}/package.json`);
        // not by `require`: of some versions that form can't be loaded
        const asModule = (require(path) as { exports?: { '.'?: { import?: unknown } } }).exports?.['.']?.import;
        if (typeof asModule === 'string') yield pathToFileURL(join(dirname(path), asModule)).href;
        yield pathToFileURL(require.resolve(name)).href;
      } catch {
        // not to be found from here
      }
    }
  }
}
