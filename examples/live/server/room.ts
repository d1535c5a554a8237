/** One document and those who edit it. */

import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { encodeAwareness, encodeSync, SYNC_UPDATE } from '../protocol/messages.ts';
import { Connection } from './connection.ts';
import type { DocumentStore } from './document-store.ts';
import { ClientFault, closeCodes, limits } from './limits.ts';

interface AwarenessChange {
  added: number[];
  updated: number[];
  removed: number[];
}

export class Room {
  readonly name: string;
  readonly doc = new Y.Doc();
  readonly #awareness = new Awareness(this.doc);
  readonly #connections = new Set<Connection>();
  readonly #report: (text: string) => void;
  #store: DocumentStore | undefined;
  #durable = 0;
  #bytes = 0;

  constructor(name: string, report: (text: string) => void) {
    this.name = name;
    this.#report = report;
    this.#awareness.setLocalState(null);
    this.#awareness.on('update', ({ added, updated, removed }: AwarenessChange, from: unknown) => {
      // clients also repeat what they heard of others' cursors; only a new one is the sender's own
      if (from instanceof Connection) for (const client of added) from.cursors.add(client);
      this.#broadcast(encodeAwareness(encodeAwarenessUpdate(this.#awareness, [...added, ...updated, ...removed])));
    });
  }

  /** Takes the document out of its store; from now on each of its updates is appended. */
  restore(store: DocumentStore, updates: readonly Uint8Array[]): void {
    this.doc.transact(() => {
      for (const update of updates) {
        this.#bytes += update.byteLength;
        Y.applyUpdate(this.doc, update);
      }
    });
    this.#store = store;
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      store.append(update);
      this.#bytes += update.byteLength;
      this.#broadcast(encodeSync(SYNC_UPDATE, update), origin);
      if (!this.incomplete) for (const connection of this.#connections) connection.completed(store.written);
    });
  }

  get store(): DocumentStore | undefined {
    return this.#store;
  }

  get written(): number {
    return this.#store?.written ?? 0;
  }

  get durable(): number {
    return this.#durable;
  }

  get empty(): boolean {
    return this.#connections.size === 0;
  }

  /** Whether there are updates that refer to others which have not come. */
  get incomplete(): boolean {
    const { pendingStructs, pendingDs } = this.doc.store;
    return pendingStructs !== null || pendingDs !== null;
  }

  encode(): Uint8Array {
    const state = Y.encodeStateAsUpdate(this.doc);
    this.#bytes = state.byteLength;
    return state;
  }

  becameDurable(upTo: number): void {
    this.#durable = upTo;
    for (const connection of this.#connections) connection.durable(upTo);
  }

  apply(update: Uint8Array, from: Connection): void {
    if (this.#bytes + update.byteLength > limits.documentBytes) {
      throw new ClientFault(closeCodes.tooLarge, 'the document is full');
    }
    Y.applyUpdate(this.doc, update, from);
    if ((this.doc.store.pendingStructs?.update.byteLength ?? 0) > limits.pendingBytes) {
      throw new ClientFault(closeCodes.notAllowed, 'too many updates without those before them');
    }
  }

  add(connection: Connection): void {
    this.#connections.add(connection);
    connection.begin();
  }

  remove(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    removeAwarenessStates(this.#awareness, [...connection.cursors], connection);
  }

  moveCursors(connection: Connection, update: Uint8Array): void {
    applyAwarenessUpdate(this.#awareness, update, connection);
    if (connection.cursors.size > limits.cursors) throw new ClientFault(closeCodes.notAllowed, 'too many cursors');
  }

  encodeCursors(): Uint8Array | undefined {
    const clients = [...this.#awareness.getStates().keys()];
    if (clients.length === 0) return undefined;
    return encodeAwareness(encodeAwarenessUpdate(this.#awareness, clients));
  }

  report(text: string): void {
    this.#report(text);
  }

  #broadcast(message: Uint8Array, except?: unknown): void {
    for (const connection of this.#connections) if (connection !== except) connection.send(message);
  }

  async close(code: number, reason: string): Promise<void> {
    for (const connection of this.#connections) connection.close(code, reason);
    try {
      await this.#store?.close();
    } finally {
      // its timer would keep the process alive
      this.#awareness.destroy();
      this.doc.destroy();
    }
  }
}
