/** A line between a program and its PostgreSQL server that knows the messages of the protocol, and does something to one of them. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Direction } from '../tests/support/tcp-proxy.ts';

/** What becomes of a message. */
export const mishaps = [
  /** Neither it nor anything after it arrives, and both sides are cut off. */
  'cut before',
  /** It arrives, and nothing after it: the answer is lost. */
  'cut behind',
  /** Half of it arrives, and its sender is cut off; the server is not told, and waits for the rest. */
  'cut within',
  /** It and all that comes after it, both ways, arrives only when the program has given its connection up. */
  'late',
  /** The statement fails at the server, and so do all of the same words, until `lift`. */
  'fails',
] as const;
export type Mishap = (typeof mishaps)[number];

export interface Fault {
  mishap: Mishap;
  direction: Direction;
  /** Which one of those that count, from 0. */
  number: number;
  /** By which a statement fails. */
  sqlstate: string;
}

interface Message {
  /** By its letter; the first one of a connection has none. */
  type: string;
  bytes: Buffer;
}

interface Line {
  client: Socket;
  server: Socket;
  /** What is late, in the order in which it has come. */
  late: [to: Socket, bytes: Buffer][] | undefined;
  /** Nothing goes through any more. */
  isOver: boolean;
  /** How many messages to come belong to a statement that was replaced. */
  replacing: number;
}

const LATE_MS = 3000;

/** Those that make a difference: how a transaction begins, and the parts of a statement that are answered together, are no cases of their own. */
const counting: Record<Direction, string> = { up: ' pPSdc', down: 'RCZdGH' };

export class MessageProxy {
  /** Those that count and have come, in words. */
  readonly seen: Record<Direction, string[]> = { up: [], down: [] };
  /** What it has happened to, if it has. */
  struck: string | undefined;
  readonly #listener: Server;
  readonly #target: { host: string; port: number };
  readonly #sockets = new Set<Socket>();
  /** Whose program was cut off, while the server does not know it. */
  readonly #halves = new Set<Socket>();
  #fault: Fault | undefined;
  /** A text whose statements fail, and how. */
  #failing: { text: string; sqlstate: string } | undefined;

  private constructor(listener: Server, target: { host: string; port: number }, fault: Fault | undefined) {
    this.#listener = listener;
    this.#target = target;
    this.#fault = fault;
    listener.on('connection', (client) => this.#accept(client));
  }

  static async listen(port: number, host: string, fault?: Fault): Promise<MessageProxy> {
    const listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new MessageProxy(listener, { host, port }, fault);
  }

  get port(): number {
    return (this.#listener.address() as { port: number }).port; // it listens on TCP
  }

  /** Statements fail no more, and the server is told of the lines that were cut. */
  lift(): void {
    this.#failing = undefined;
    for (const socket of this.#halves) socket.destroy();
    this.#halves.clear();
  }

  async close(): Promise<void> {
    const closed = once(this.#listener, 'close');
    this.#listener.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(client: Socket): void {
    const server = connect({ ...this.#target, noDelay: true });
    client.setNoDelay(true);
    const line: Line = { client, server, late: undefined, isOver: false, replacing: 0 };
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined); // its end is told by 'close'
      socket.on('close', () => {
        this.#sockets.delete(socket);
        // what came before is still on its way
        if (!line.isOver && line.late === undefined) other.destroySoon();
      });
    }
    client.on(
      'data',
      messages(' ', (message) => this.#forward(line, 'up', message)),
    );
    server.on(
      'data',
      messages(undefined, (message) => this.#forward(line, 'down', message)),
    );
  }

  #forward(line: Line, direction: Direction, message: Message): void {
    if (line.isOver) return;
    const text = textOf(message, direction);
    const counts = counting[direction].includes(message.type) && !/^(SET|BEGIN)\b/.test(text);
    const words = `${message.type} ${text.slice(0, 70)}`.trim();
    const number = counts ? this.seen[direction].push(words) - 1 : undefined;
    const fault = this.#fault;
    if (fault !== undefined && fault.direction === direction && fault.number === number) {
      this.#fault = undefined;
      if (fault.mishap !== 'fails' || message.type === 'P') {
        this.struck = words;
        this.#strike(line, fault, message, text);
        return;
      }
    }
    const failing = this.#failing;
    const isStatement = direction === 'up' && message.type === 'P';
    if (isStatement && failing !== undefined && wordsOf(text) === wordsOf(failing.text)) {
      this.#fail(line, failing.sqlstate);
      return;
    }
    this.#pass(line, direction, direction === 'up' ? this.#replaced(line, message) : message.bytes);
  }

  #pass(line: Line, direction: Direction, bytes: Buffer): void {
    const to = direction === 'up' ? line.server : line.client;
    if (line.late !== undefined) line.late.push([to, bytes]);
    else to.write(bytes);
  }

  #strike(line: Line, fault: Fault, { bytes }: Message, text: string): void {
    const { direction, mishap } = fault;
    const { client, server } = line;
    const to = direction === 'up' ? server : client;
    switch (mishap) {
      case 'fails':
        this.#failing = { text, sqlstate: fault.sqlstate };
        this.#fail(line, fault.sqlstate);
        return;
      case 'late':
        line.late = [[to, bytes]];
        setTimeout(() => this.#arrive(line), LATE_MS);
        return;
      case 'cut before':
        break;
      case 'cut behind':
        to.end(bytes);
        break;
      case 'cut within':
        to.write(bytes.subarray(0, bytes.length / 2));
        if (direction === 'up') this.#halves.add(server);
        break;
    }
    line.isOver = true;
    // what has come for the program still reaches it
    if (direction === 'down' && mishap !== 'cut before') client.destroySoon();
    else client.resetAndDestroy();
    if (direction === 'down' || mishap === 'cut before') server.resetAndDestroy();
  }

  #fail(line: Line, sqlstate: string): void {
    const raise = `DO $fault$ BEGIN RAISE EXCEPTION 'made to fail' USING ERRCODE = '${sqlstate}'; END $fault$`;
    line.replacing = 2;
    this.#pass(line, 'up', messageOf('P', Buffer.from(`\0${raise}\0\0\0`)));
  }

  /** The values of a statement that was replaced are too many for what is in its place. */
  #replaced(line: Line, { type, bytes }: Message): Buffer {
    if (line.replacing === 0) return bytes;
    line.replacing--;
    return type === 'B' ? messageOf('B', Buffer.alloc(8)) : bytes;
  }

  #arrive(line: Line): void {
    const { client, server } = line;
    for (const [to, bytes] of line.late ?? []) if (!to.destroyed) to.write(bytes);
    line.late = undefined;
    if (client.destroyed) server.destroySoon();
    if (server.destroyed) client.destroySoon();
  }
}

/** Cuts what arrives into messages; the first one is of this type, if it has no letter. */
function messages(first: string | undefined, take: (message: Message) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  let untyped = first;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = untyped === undefined ? 1 : 0;
      if (rest.length < head + 4) return;
      const length = head + rest.readInt32BE(head);
      if (rest.length < length) return;
      const bytes = rest.subarray(0, length);
      rest = rest.subarray(length);
      const type = untyped ?? String.fromCharCode(bytes[0] ?? 0);
      untyped = undefined;
      take({ type, bytes });
    }
  };
}

/** Of a statement its text, of an answer to one what it says. */
function textOf({ type, bytes }: Message, direction: Direction): string {
  if (direction === 'up' && type === 'P') return bytes.subarray(6, bytes.indexOf(0, 6)).toString();
  return direction === 'down' && type === 'C' ? bytes.subarray(5, -1).toString() : '';
}

/** The same for statements that differ in numbers only. */
function wordsOf(text: string): string {
  return text.replaceAll(/\d+/g, '0');
}

function messageOf(type: string, body: Buffer): Buffer {
  const head = Buffer.from(`${type}\0\0\0\0`);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
