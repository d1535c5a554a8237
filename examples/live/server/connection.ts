/** One editor's connection to a room: reads its messages, and tells it how far they have come. */
import { createDecoder, readVarUint, readVarUint8Array } from 'lib0/decoding';
import type { WebSocket } from 'ws';
import * as Y from 'yjs';
import {
  encodeProgress,
  encodeSync,
  MESSAGE_AWARENESS,
  MESSAGE_QUERY_AWARENESS,
  MESSAGE_SYNC,
  SYNC_MISSING,
  SYNC_STATE,
  SYNC_UPDATE,
} from '../protocol/messages.ts';
import { ClientFault, closeCodes, limits } from './limits.ts';
import type { Room } from './room.ts';

export class Connection {
  readonly #socket: WebSocket;
  readonly #room: Room;
  /** The cursors that this connection has announced. */
  readonly cursors = new Set<number>();
  #received = 0;
  #durable = 0;
  /** Up to which patch of the room all must be durable, so that so many of this connection's updates are. */
  readonly #waiting: { received: number; patch: number }[] = [];
  /** Updates came that refer to others which have not come yet, so they are in no patch. */
  #incomplete = false;
  #telling = false;

  constructor(socket: WebSocket, room: Room) {
    this.#socket = socket;
    this.#room = room;
  }

  /** Says hello: what the server has, and whose cursors are where. */
  begin(): void {
    this.send(encodeSync(SYNC_STATE, Y.encodeStateVector(this.#room.doc)));
    const cursors = this.#room.encodeCursors();
    if (cursors !== undefined) this.send(cursors);
  }

  /** @throws ClientFault, or what a decoder throws at bytes that are no message */
  receive(message: Uint8Array): void {
    const decoder = createDecoder(message);
    const kind = readVarUint(decoder);
    if (kind === MESSAGE_SYNC) {
      this.#sync(readVarUint(decoder), readVarUint8Array(decoder));
    } else if (kind === MESSAGE_AWARENESS) {
      if (message.byteLength > limits.awarenessBytes)
        throw new ClientFault(closeCodes.tooLarge, 'too much of a cursor');
      this.#room.moveCursors(this, readVarUint8Array(decoder));
    } else if (kind === MESSAGE_QUERY_AWARENESS) {
      const cursors = this.#room.encodeCursors();
      if (cursors !== undefined) this.send(cursors);
    } else {
      throw new ClientFault(closeCodes.notUnderstood, 'not a message of this protocol');
    }
  }

  #sync(kind: number, bytes: Uint8Array): void {
    if (kind === SYNC_STATE) {
      this.send(encodeSync(SYNC_MISSING, Y.encodeStateAsUpdate(this.#room.doc, bytes)));
    } else if (kind === SYNC_MISSING || kind === SYNC_UPDATE) {
      this.#room.apply(bytes, this);
      this.#received++;
      if (this.#room.incomplete) this.#incomplete = true;
      else this.#waitFor(this.#room.written);
      this.#tell();
    } else {
      throw new ClientFault(closeCodes.notUnderstood, 'not a message of this protocol');
    }
  }

  #waitFor(patch: number): void {
    this.#incomplete = false;
    const last = this.#waiting.at(-1);
    if (last?.patch === patch) last.received = this.#received;
    else this.#waiting.push({ received: this.#received, patch });
    // an update that changes nothing is as durable as the patches before it
    this.durable(this.#room.durable);
  }

  /** What was incomplete has come. */
  completed(patch: number): void {
    if (this.#incomplete) this.#waitFor(patch);
  }

  /** All patches of the room up to this one are durable. */
  durable(upTo: number): void {
    const before = this.#durable;
    for (let next = this.#waiting[0]; next !== undefined && next.patch <= upTo; next = this.#waiting[0]) {
      this.#durable = next.received;
      this.#waiting.shift();
    }
    if (this.#durable !== before) this.#tell();
  }

  /** At the end of the turn, so that one message tells all of it. */
  #tell(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      this.send(encodeProgress({ passedOn: this.#received, durable: this.#durable }));
    });
  }

  send(message: Uint8Array): void {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > limits.unreadBytes) {
      // a close frame would wait behind all that is not read
      this.#room.report(`a client that did not read was disconnected with ${socket.bufferedAmount} bytes unread`);
      socket.terminate();
      return;
    }
    socket.send(message, { binary: true });
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }
}
