/** A client that says exactly what a test wants it to say. */
import { createDecoder, readVarUint, readVarUint8Array } from 'lib0/decoding';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { DOCUMENT_TEXT } from '../protocol/control.ts';
import {
  encodeSync,
  holdsUpdates,
  MESSAGE_PROGRESS,
  MESSAGE_SYNC,
  readProgress,
  SYNC_MISSING,
  SYNC_STATE,
  SYNC_UPDATE,
} from '../protocol/messages.ts';

/** One editor, with its own copy of the document. */
export class Client {
  readonly doc = new Y.Doc();
  readonly text = this.doc.getText(DOCUMENT_TEXT);
  readonly socket: WebSocket;
  readonly #sent: number[] = [];
  /** Characters of its own that the server has said to be durable. */
  durableClock = 0;
  passedOn = 0;
  #waiting: { when: () => boolean; tell: () => void }[] = [];

  constructor(address: string) {
    this.socket = new WebSocket(address);
    this.socket.on('open', () => this.#send(encodeSync(SYNC_STATE, Y.encodeStateVector(this.doc))));
    this.socket.on('message', (message: Buffer) => this.#receive(message));
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== this) this.#send(encodeSync(SYNC_UPDATE, update));
    });
  }

  #send(message: Uint8Array): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    if (holdsUpdates(message)) this.#sent.push(Y.getState(this.doc.store, this.doc.clientID));
    this.socket.send(message);
  }

  #receive(message: Buffer): void {
    const decoder = createDecoder(message);
    const kind = readVarUint(decoder);
    if (kind === MESSAGE_PROGRESS) {
      const { durable, passedOn } = readProgress(decoder);
      this.passedOn = passedOn;
      this.durableClock = Math.max(this.durableClock, this.#sent[durable - 1] ?? 0);
    } else if (kind === MESSAGE_SYNC) {
      const what = readVarUint(decoder);
      const bytes = readVarUint8Array(decoder);
      if (what === SYNC_STATE) this.#send(encodeSync(SYNC_MISSING, Y.encodeStateAsUpdate(this.doc, bytes)));
      else Y.applyUpdate(this.doc, bytes, this);
    }
    this.#waiting = this.#waiting.filter(({ when, tell }) => {
      if (!when()) return true;
      tell();
      return false;
    });
  }

  /** Once a message has made this true. */
  async until(when: () => boolean): Promise<void> {
    if (!when()) await new Promise<void>((tell) => this.#waiting.push({ when, tell }));
  }

  /** Once all that it has typed is durable. */
  async allDurable(): Promise<void> {
    await this.until(() => this.durableClock === Y.getState(this.doc.store, this.doc.clientID));
  }

  async opened(): Promise<this> {
    await new Promise((resolve, reject) => this.socket.once('open', resolve).once('error', reject));
    return this;
  }

  async close(): Promise<void> {
    const closed = closeOf(this.socket);
    this.socket.close();
    await closed;
  }
}

/** How a connection ends. */
export function closeOf(socket: WebSocket): Promise<{ code: number; reason: string }> {
  return new Promise((resolve) => {
    // a connection that is cut off is an error as well
    socket.on('error', () => undefined);
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
}

/** Connects and says one thing; how does it end? */
export async function endAfter(address: string, ...messages: (Uint8Array | string)[]) {
  const socket = new WebSocket(address);
  const closed = closeOf(socket);
  socket.once('open', () => {
    for (const message of messages) socket.send(message);
  });
  return closed;
}

/** The status of a handshake that is refused, or 101. */
export function handshake(address: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address, { headers });
    socket.once('open', () => {
      socket.terminate();
      resolve(101);
    });
    socket.once('unexpected-response', (_request, response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
      socket.on('error', () => undefined);
      socket.terminate();
    });
    socket.once('error', reject);
  });
}
