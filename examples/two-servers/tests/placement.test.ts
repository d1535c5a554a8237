/** Which server an editor tries first, and where it goes when that one is gone. */
import { expect, it } from 'vitest';
import { serversFor } from '../placement.ts';

const servers = ['east', 'west', 'north', 'south'].map((name) => ({ name, url: `ws://${name}` }));
const documents = Array.from({ length: 1000 }, (_, index) => `document-${index}`);
const first = (document: string, among = servers) => serversFor(document, among)[0]?.name;

it('every server has its share, and all editors of a document agree', () => {
  for (const { name } of servers) {
    const share = documents.filter((document) => first(document) === name).length;
    expect(share).toBeGreaterThan(200);
    expect(share).toBeLessThan(300);
  }
  for (const document of documents)
    expect(serversFor(document, servers.toReversed())).toEqual(serversFor(document, servers));
});

it('the documents of a server that is gone spread over all others, and no other document moves', () => {
  const rest = servers.filter(({ name }) => name !== 'east');
  const moved = documents.filter((document) => first(document) !== first(document, rest));
  expect(moved).toEqual(documents.filter((document) => first(document) === 'east'));
  expect(new Set(moved.map((document) => first(document, rest)))).toEqual(new Set(['west', 'north', 'south']));
});
