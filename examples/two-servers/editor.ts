/**
 * Somebody who edits a document, also while no server is there. Edits that a server has not said to be
 * durable are kept, and sent again to the one that has the document next.
 */
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import type { Place } from './placement.ts';
import { closeCodes, decode, encode, kinds } from './protocol.ts';

/** Between two rounds over all servers, so that one at which all edits fail is not besieged. */
const PAUSE_MS = 100;

interface Edit {
  update: Uint8Array;
  sent: boolean;
}

export class Editor {
  readonly doc = new Y.Doc();
  readonly text = this.doc.getText('document');
  /** What it has typed and was told to be durable. */
  readonly acknowledged: Uint8Array[] = [];
  typed = 0;
  /** Of them: while no server was there. */
  typedAlone = 0;
  sentAgain = 0;
  readonly #name: string;
  /** In the order in which they are tried. */
  readonly #servers: readonly Place[];
  readonly #silenceMs: number;
  readonly #unacknowledged = new Map<number, Edit>();
  #socket: WebSocket | undefined;
  /** The server that has said what was missing; edits go there. */
  #servedBy: string | undefined;
  #answers = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #waiting: { when: () => boolean; tell: () => void }[] = [];

  /** A server that is not heard of for `silenceMs` is taken to be gone: one that is stuck keeps its connections. */
  constructor(name: string, servers: readonly Place[], silenceMs: number) {
    this.#name = name;
    this.#servers = servers;
    this.#silenceMs = silenceMs;
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === this) return;
      const number = ++this.typed;
      const served = this.#servedBy !== undefined;
      this.#unacknowledged.set(number, { update, sent: served });
      if (served) this.#send(kinds.edit, number, update);
      else this.typedAlone++;
      this.#changed();
    });
    this.#connect(0);
  }

  /** Name of the server that has the document, as far as this editor knows. */
  get servedBy(): string | undefined {
    return this.#servedBy;
  }

  get allAcknowledged(): boolean {
    return this.#unacknowledged.size === 0;
  }

  #connect(attempt: number): void {
    // the index is below the length
    const server = this.#servers[attempt % this.#servers.length] as Place;
    const socket = new WebSocket(`${server.url}/${this.#name}`, {
      handshakeTimeout: this.#silenceMs,
      perMessageDeflate: false,
    });
    this.#socket = socket;
    let heard = true;
    const listening = setInterval(() => {
      if (socket.readyState !== WebSocket.OPEN) return;
      // once what has come meanwhile is read: this thread may have been busy itself
      setImmediate(() => {
        if (!heard) return socket.terminate();
        heard = false;
        socket.ping();
      });
    }, this.#silenceMs);
    socket.on('pong', () => {
      heard = true;
    });
    socket.on('open', () => {
      heard = true;
      this.#send(kinds.hello, 0, Y.encodeStateVector(this.doc));
    });
    socket.on('message', (data: Buffer) => {
      heard = true;
      this.#receive(data, server.name);
    });
    // whatever it was, `close` comes after it
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      clearInterval(listening);
      if (this.#closed) return;
      const next = this.#servedBy === undefined || code === closeCodes.elsewhere ? attempt + 1 : 0;
      this.#servedBy = undefined;
      this.#changed();
      this.#timer = setTimeout(() => this.#connect(next), next % this.#servers.length === 0 ? PAUSE_MS : 0);
    });
  }

  #receive(data: Buffer, server: string): void {
    const { kind, number, bytes } = decode(data);
    if (kind === kinds.missing) {
      Y.applyUpdate(this.doc, bytes, this);
      this.#answers++;
      if (this.#servedBy === undefined) this.#begin(server);
    } else if (kind === kinds.update) {
      Y.applyUpdate(this.doc, bytes, this);
    } else if (kind === kinds.durable) {
      const edit = this.#unacknowledged.get(number);
      if (edit !== undefined) this.acknowledged.push(edit.update);
      this.#unacknowledged.delete(number);
    }
    this.#changed();
  }

  /**
   * Nothing more of what was acknowledged is sent: it is in the database. What was not may be there as
   * well; Yjs takes an update twice without harm.
   */
  #begin(server: string): void {
    this.#servedBy = server;
    for (const [number, edit] of this.#unacknowledged) {
      if (edit.sent) this.sentAgain++;
      edit.sent = true;
      this.#send(kinds.edit, number, edit.update);
    }
  }

  #send(kind: number, number: number, bytes: Uint8Array): void {
    this.#socket?.send(encode(kind, number, bytes));
  }

  #changed(): void {
    this.#waiting = this.#waiting.filter(({ when, tell }) => {
      if (!when()) return true;
      tell();
      return false;
    });
  }

  /** Once this is true; it is looked at after each message, each edit and each change of servers. */
  async until(when: () => boolean): Promise<void> {
    if (!when()) await new Promise<void>((tell) => this.#waiting.push({ when, tell }));
  }

  /** Once all is here that others have typed and the server has stored by now. */
  async caughtUp(): Promise<void> {
    const before = this.#answers;
    // without a server, the next one answers the hello of the new connection
    if (this.#servedBy !== undefined) this.#send(kinds.hello, 0, Y.encodeStateVector(this.doc));
    await this.until(() => this.#answers > before);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }
}
