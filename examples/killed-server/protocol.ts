/** What the processes and the page say to each other. */

/** Which persistence a server has: this package's, or by its name the other one. */
export type Side = string;
export const WORKER: Side = 'worker';

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
