/**
 * This browser's copy of the document on one of the servers: keeps it in step, measures how long each
 * key press is under way, and checks after a restart that what was acknowledged is still there.
 */
import { createDecoder, readVarUint, readVarUint8Array } from 'lib0/decoding';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { DOCUMENT_TEXT, MEASURED_TEXT, type Side } from '../protocol/control.ts';
import { holdsUpdates, MESSAGE_PROGRESS, MESSAGE_SYNC, readProgress, SYNC_STATE } from '../protocol/messages.ts';

/** The text that is typed to measure does not grow beyond this. */
const MOST_MEASURED = 200;
const SAME_SERVER_AFTER_MS = 1500;

export interface SessionEvents {
  roundTrip(ms: number): void;
  changed(): void;
  /** After the server has come back: characters that it had acknowledged, and how many of them it lacks. */
  compared(acknowledged: number, missing: number): void;
  closed(code: number, reason: string): void;
}

interface Sent {
  at: number;
  /** This browser's clock in the document: how many characters it had typed. */
  clock: number;
  answered: boolean;
}

export class DocumentSession {
  readonly side: Side;
  readonly doc = new Y.Doc();
  readonly text = this.doc.getText(DOCUMENT_TEXT);
  readonly #measured = this.doc.getText(MEASURED_TEXT);
  readonly #events: SessionEvents;
  readonly #room: string;
  #provider: WebsocketProvider | undefined;
  /** Messages with updates on this connection. */
  #sent: Sent[] = [];
  /** How many at the front of all that were sent are no longer in `#sent`, being durable. */
  #durableMessages = 0;
  #durableClock = 0;
  #wasConnected = false;
  #pid: number | undefined;
  #notBefore = 0;

  constructor(side: Side, room: string, events: SessionEvents) {
    this.side = side;
    this.#room = room;
    this.#events = events;
    this.doc.on('update', () => events.changed());
  }

  get awareness() {
    return this.#provider?.awareness;
  }

  get synced(): boolean {
    return this.#provider?.synced ?? false;
  }

  /** Characters that this browser has typed, and how many of them the server has said to be durable. */
  get typed(): { clock: number; durable: number } {
    return { clock: Y.getState(this.doc.store, this.doc.clientID), durable: this.#durableClock };
  }

  /** The server listens at this port: connects unless that has been done. */
  connect(port: number, pid: number | undefined): void {
    this.#provider ??= this.#open(port);
    const { wsconnected, wsconnecting } = this.#provider;
    if (wsconnected || wsconnecting) return;
    // it may be gone without the front's having noticed
    if (pid === this.#pid && performance.now() < this.#notBefore) return;
    this.#pid = pid;
    this.#provider.connect();
  }

  #open(port: number): WebsocketProvider {
    const session = this;
    class MeasuredSocket extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        session.#sent = [];
        session.#durableMessages = 0;
      }

      override send(data: string | BufferSource | Blob): void {
        if (data instanceof Uint8Array && holdsUpdates(data)) {
          const { clock } = session.typed;
          session.#sent.push({ at: performance.now(), clock, answered: false });
        }
        super.send(data);
      }
    }
    const provider = new WebsocketProvider(`ws://${location.hostname}:${port}`, this.#room, this.doc, {
      connect: false,
      disableBc: true,
      WebSocketPolyfill: MeasuredSocket,
      // the front says when there is somebody to connect to
      shouldReconnect: () => false,
    });
    const synchronize = provider.messageHandlers[MESSAGE_SYNC];
    provider.messageHandlers[MESSAGE_SYNC] = (encoder, decoder, ...rest) => {
      const state = createDecoder(decoder.arr.subarray(decoder.pos));
      if (readVarUint(state) === SYNC_STATE) this.#compare(readVarUint8Array(state));
      synchronize?.(encoder, decoder, ...rest);
    };
    provider.messageHandlers[MESSAGE_PROGRESS] = (_encoder, decoder) => this.#progress(readProgress(decoder));
    provider.on('status', () => this.#events.changed());
    provider.on('sync', () => this.#events.changed());
    provider.on('closed', ({ code, reason }) => {
      this.#notBefore = performance.now() + SAME_SERVER_AFTER_MS;
      this.#events.closed(code, reason);
    });
    return provider;
  }

  #progress({ passedOn, durable }: { passedOn: number; durable: number }): void {
    const now = performance.now();
    for (const sent of this.#sent.slice(0, passedOn - this.#durableMessages)) {
      if (sent.answered) continue;
      sent.answered = true;
      this.#events.roundTrip(now - sent.at);
    }
    const last = this.#sent[durable - this.#durableMessages - 1];
    if (last === undefined) return;
    this.#durableClock = Math.max(this.#durableClock, last.clock);
    this.#sent.splice(0, durable - this.#durableMessages);
    this.#durableMessages = durable;
    this.#events.changed();
  }

  /** What the server has, told before this browser sends it anything anew. */
  #compare(state: Uint8Array): void {
    const found = Y.decodeStateVector(state).get(this.doc.clientID) ?? 0;
    if (this.#wasConnected) this.#events.compared(this.#durableClock, Math.max(0, this.#durableClock - found));
    this.#wasConnected = true;
  }

  /** A key press into a text that nobody sees. */
  typeToMeasure(): void {
    if (!this.synced) return;
    this.doc.transact(() => {
      this.#measured.insert(this.#measured.length, 'x');
      if (this.#measured.length > MOST_MEASURED) this.#measured.delete(0, MOST_MEASURED / 2);
    });
  }
}
