/** What a server takes from its clients before it ends their connection, or does not accept it. */
const KB = 1024;
const MB = 1024 * KB;

export const limits = {
  /** One message. The largest is a whole document that a client sends after the server has lost it. */
  messageBytes: 8 * MB,
  /** A document with its history; whoever would make it larger is told so. */
  documentBytes: 16 * MB,
  /** Updates that refer to others which did not come. */
  pendingBytes: 1 * MB,
  /** A message about cursors (clients repeat all that they hear), and how many cursors one connection may have. */
  awarenessBytes: 256 * KB,
  cursors: 4,
  /** What waits for a client that does not read. */
  unreadBytes: 8 * MB,
  sockets: 4096,
  rooms: 1024,
  roomName: /^[a-z0-9][a-z0-9-]{0,63}$/i,
  /** A client that does not answer a ping for so long is gone. */
  pingMs: 15_000,
} as const;

/** Codes of RFC 6455 for the end of a connection. */
export const closeCodes = {
  goingAway: 1001,
  notUnderstood: 1007,
  notAllowed: 1008,
  tooLarge: 1009,
  failed: 1011,
} as const;

/** A client broke a rule: its connection ends with this code and reason, and nothing else does. */
export class ClientFault extends Error {
  readonly code: number;

  constructor(code: number, reason: string) {
    super(reason);
    this.code = code;
  }
}
