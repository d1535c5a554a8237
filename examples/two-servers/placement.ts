/** Which server has which document. */
import { createHash } from 'node:crypto';

export interface Place {
  /** Of the server. */
  name: string;
  url: string;
}

/**
 * All servers, in the order in which an editor of this document tries them: the first that serves it is
 * the one. Each document has an order of its own (rendezvous hashing), so that the documents of a server
 * that is gone spread over all others, and those of the others stay where they are.
 *
 * It is only where to look first: that there is one server at a time is seen to by the store's lease, and
 * one that does not get it sends the editor on to the next.
 */
export function serversFor(document: string, servers: readonly Place[]): Place[] {
  const weight = ({ name }: Place) => createHash('sha256').update(`${name}\n${document}`).digest('hex');
  return servers
    .map((server) => ({ server, weight: weight(server) }))
    .sort((one, other) => (one.weight < other.weight ? -1 : 1))
    .map(({ server }) => server);
}
