/** What the processes and the page say to each other. */

export const sides = ['worker', 'extension-sqlite'] as const;
/** Which extension a server has: this package's, or the one of Hocuspocus. */
export type Side = (typeof sides)[number];

/** A server's, to its supervisor. */
export type ServerReport = { kind: 'listening'; port: number } | { kind: 'delay'; ms: number };

/** Of one side, to the page. */
export interface State {
  side: Side;
  /** Where it listens; `undefined` while it does not. */
  port?: number | undefined;
  /** The longest that its event loop was held up since the state before. */
  delayMs?: number;
}

export const DOCUMENT = 'notes';
