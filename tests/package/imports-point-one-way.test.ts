/** Who imports whom: main and worker never each other, and no two files in a circle, types included. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const files = globSync('src/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.d.ts'));
const importsOf = new Map(
  files.map((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const found = [...text.matchAll(/from '(\.[^']*)'/g)].map(([, path = '']) => normalize(join(dirname(file), path)));
    return [file, found];
  }),
);

function sideOf(file: string): string {
  return file.split(sep)[1] ?? '';
}

/** The files of a circle that can be reached from a file, if there is one. */
function circleFrom(file: string, path: readonly string[], done: Set<string>): string[] | undefined {
  if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
  if (done.has(file)) return undefined;
  for (const next of importsOf.get(file) ?? []) {
    const circle = circleFrom(next, [...path, file], done);
    if (circle !== undefined) return circle;
  }
  done.add(file);
  return undefined;
}

it('every import leads to a file', () => {
  expect(files.length).toBeGreaterThan(50);
  for (const [file, imported] of importsOf) {
    for (const target of imported) expect(importsOf.has(target), `${file} imports ${target}`).toBe(true);
  }
});

const index = join('src', 'main', 'index.ts');
const documents = join('src', 'documents', 'index.ts');
/** What lies in files of its own imports of others only this: what has an identity or a state comes from their index. */
const besides: Record<string, readonly string[]> = {
  cli: [index],
  documents: [index, 'main'],
  yjs: [index, documents, 'main'],
  hocuspocus: [index, documents, 'main', 'yjs'],
  'automerge-repo': [index, documents, 'main'],
  'merged-documents': [index, documents, 'main'],
};
/** What is part of each file that asks for it: nothing in there is to be the same for all, but what lies under a symbol of its own. */
const copied = [
  'arguments',
  'location',
  'observe/channels',
  'observe/notes',
  'observe/warnings',
  'option-checks',
  'provider-options',
  'search-paths',
  'workers/start-worker',
];

it('the protocol imports neither side, the sides not each other, the command line only what everybody may', () => {
  for (const [file, imported] of importsOf) {
    const allowed = [sideOf(file), ...(besides[sideOf(file)] ?? []), 'protocol'];
    for (const target of imported) {
      const isIndex = target === index || target === documents;
      expect(allowed, `${file} imports ${target}`).toContain(
        isIndex && sideOf(target) !== sideOf(file) ? target : sideOf(target),
      );
    }
  }
});

it('what is loaded beside the library has no second provider, and no second class of errors', () => {
  for (const [file, imported] of importsOf) {
    if (!['documents', 'yjs', 'hocuspocus', 'automerge-repo', 'merged-documents'].includes(sideOf(file))) continue;
    const names = imported.filter((target) => sideOf(target) === 'main' && target !== index);
    const known = copied.map((name) => join('src', 'main', `${name}.ts`));
    expect(
      names.filter((target) => !known.includes(target)),
      file,
    ).toEqual([]);
  }
});

it('there are no circles', () => {
  const done = new Set<string>();
  for (const file of files) expect(circleFrom(file, [], done)).toBeUndefined();
});

it('nor are there any between rooms: a room below never imports one above', () => {
  const rooms = new Map<string, Set<string>>();
  for (const [file, imported] of importsOf) {
    const room = dirname(file);
    for (const target of imported.map(dirname)) {
      // what lies in a side's own folder is its rooms' neighbour, and what they have in common
      if (target === room || target.split(sep).length < 3) continue;
      if (room.split(sep).length >= 3) rooms.set(room, (rooms.get(room) ?? new Set()).add(target));
    }
  }
  expect(rooms.size).toBeGreaterThan(5);
  const above = (room: string, seen = new Set<string>()): Set<string> => {
    for (const below of rooms.get(room) ?? []) if (!seen.has(below)) above(below, seen.add(below));
    return seen;
  };
  for (const room of rooms.keys()) expect([...above(room)], `${room} leads to itself`).not.toContain(room);
});
