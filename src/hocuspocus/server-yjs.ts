/** Finds the Yjs that the server uses: of those in reach, only the one that a document is made by may be applied to it. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Turns } from '../documents/index.ts';
import { SDS_PersistenceError } from '../main/index.ts';
import { searchPaths } from '../main/search-paths.ts';
import { requireFrom } from '../protocol/require-from.ts';
import type { YjsDoc, YjsModule } from '../protocol/yjs.ts';
import type { YjsMerging } from '../yjs/merging.ts';

type ServerYjs = YjsModule<YjsDoc>;
type ServerMerging = YjsMerging<YjsDoc>;

/**
 * @param document - which its Yjs has made; `undefined` if there is none yet, then it is the one that is found first
 * @throws SDS_PersistenceError `invalid-argument` if that Yjs is not to be found, or not the one that was handed in
 */
export type FindMerging = (document: YjsDoc | undefined) => Promise<ServerMerging>;

/** @param given - the Yjs that was handed in */
export function serverMerging(
  given: ServerYjs | undefined,
  by: (Y: ServerYjs, url: string | undefined) => ServerMerging,
): FindMerging {
  let merging = given && by(given, undefined);
  const search: FindMerging = async (document) => {
    if (merging !== undefined && madeBy(merging.Y, document)) return merging;
    if (given !== undefined) {
      const message =
        "the option Y is another Yjs than the one that the server's documents are made by: there must be one";
      throw new SDS_PersistenceError('invalid-argument', message);
    }
    const { Y, url } = await findYjs(document);
    merging = by(Y, url);
    return merging;
  };
  const turns = new Turns(); // documents that are loaded at once need one search
  return (document) => turns.take(true, () => search(document));
}

/** With its URL for other threads. */
async function findYjs(document: YjsDoc | undefined): Promise<{ Y: ServerYjs; url: string }> {
  const [ownPath = '', ...paths] = searchPaths();
  // a package that is linked lies beside others than the program's
  const candidates = [...paths, ownPath].flatMap(candidatesFrom);
  // first of all what is loaded: to load another one has Yjs complain
  for (const { required, requireUrl } of candidates) {
    if (madeBy(required, document)) return { Y: required, url: requireUrl };
  }
  let options: { cause: unknown } | undefined;
  const looked = [`looked from ${searchPaths().join(', ')}`];
  for (const importUrl of new Set(candidates.map((candidate) => candidate.importUrl))) {
    try {
      const imported: unknown = await import(/* webpackIgnore: true */ /* @vite-ignore */ importUrl);
      if (madeBy(imported, document)) return { Y: imported, url: importUrl };
    } catch (error) {
      options ??= { cause: error }; // there may be another one
      looked.push(`${importUrl} could not be loaded: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new SDS_PersistenceError(
    'invalid-argument',
    `the Yjs that the server's documents are made by was not found (${looked.join('; ')}): ` +
      'hand it in, as in new HocuspocusPersistence({ database, Y })',
    options,
  );
}

function madeBy(Y: unknown, document: YjsDoc | undefined): Y is ServerYjs {
  const { Doc } = (Y ?? {}) as Partial<ServerYjs>;
  return typeof Doc === 'function' && (document === undefined || document instanceof Doc);
}

/** The server's, and that of the path itself. */
function candidatesFrom(path: string) {
  const here = requireFrom(path);
  const server = () => createRequire(here.resolve('@hocuspocus/server'));
  return [server, () => here].flatMap((find) => {
    try {
      return candidateOf(find());
    } catch {
      return []; // it is not there
    }
  });
}

function candidateOf(require: NodeJS.Require) {
  const path = require.resolve('yjs');
  const manifest = require.resolve('yjs/package.json');
  const { exports } = require(manifest) as { exports: { '.': { import: string } } };
  return {
    required: require.cache[path]?.exports as unknown, // if it is loaded that way
    requireUrl: pathToFileURL(path).href,
    importUrl: pathToFileURL(join(manifest, '..', exports['.'].import)).href,
  };
}
