/** All rooms of a server: opened for the first who comes, closed after the last has left. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { WebSocket } from 'ws';
import type { Side } from '../protocol/control.ts';
import { Connection } from './connection.ts';
import { DocumentStore } from './document-store.ts';
import { ClientFault, closeCodes, limits } from './limits.ts';
import type { Meter } from './meter.ts';
import { openProvider } from './provider.ts';
import { Room } from './room.ts';

/** Somebody who reloads the page is soon back. */
const CLOSE_AFTER_MS = 1000;
const MB = 1024 * 1024;

interface Entry {
  room: Room;
  opened: Promise<void>;
  closing: NodeJS.Timeout | undefined;
}

export class Rooms {
  /** Size of the pictures that a document is taken to have. */
  megabytes = 0;
  readonly #side: Side;
  readonly #dbPath: string;
  readonly #meter: Meter;
  readonly #report: (text: string) => void;
  readonly #entries = new Map<string, Entry>();
  /** One after the other: all of them at once would be all their snapshots in memory at once. */
  #closings: Promise<void> = Promise.resolve();
  /** Rooms that are being closed; who comes back meanwhile waits. */
  readonly #leaving = new Map<string, Promise<void>>();
  #stopping = false;
  /** Calls of a provider that were rejected. */
  rejected = 0;

  constructor(side: Side, folder: string, meter: Meter, report: (text: string) => void) {
    mkdirSync(folder, { recursive: true });
    this.#side = side;
    this.#dbPath = databaseIn(folder);
    this.#meter = meter;
    this.#report = report;
  }

  get count(): number {
    return this.#entries.size;
  }

  get full(): boolean {
    return this.#entries.size >= limits.rooms;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  get waiting(): number {
    let sum = 0;
    for (const { room } of this.#entries.values()) sum += room.store?.waiting ?? 0;
    return sum;
  }

  /** Once all that has been appended by now is durable. */
  async allDurable(): Promise<void> {
    await Promise.all([...this.#entries.values()].map(({ room }) => room.store?.allDurable()));
  }

  /** Whether no room is opened any more. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** Serves a socket until it closes. */
  async join(name: string, socket: WebSocket): Promise<void> {
    // what it sends before the document is there waits in the socket
    socket.pause();
    const entry = this.#entries.get(name) ?? this.#open(name);
    clearTimeout(entry.closing);
    const { room } = entry;
    const connection = new Connection(socket, room);
    socket.on('close', () => {
      room.remove(connection);
      if (room.empty) this.#closeSoon(name, entry);
    });
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      try {
        if (!isBinary) throw new ClientFault(closeCodes.notUnderstood, 'not a message of this protocol');
        connection.receive(data);
      } catch (error) {
        const known = error instanceof ClientFault;
        const reason = known ? error.message : 'a message that can not be read';
        this.#report(`a client in room '${name}' was disconnected: ${reason}`);
        room.remove(connection);
        connection.close(known ? error.code : closeCodes.notUnderstood, reason);
      }
    });
    try {
      await entry.opened;
    } catch (error) {
      this.#report(`room '${name}' can't be opened: ${error instanceof Error ? error.message : String(error)}`);
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
      socket.resume();
      socket.close(closeCodes.failed, "the document can't be read");
      return;
    }
    if (this.#stopping) socket.close(closeCodes.goingAway, 'the server stops');
    else if (socket.readyState === socket.OPEN) room.add(connection);
    else if (room.empty) this.#closeSoon(name, entry);
    socket.resume();
  }

  #open(name: string): Entry {
    const room = new Room(name, this.#report);
    const before = this.#leaving.get(name) ?? Promise.resolve();
    const opened = before
      .then(() => this.#restore(room))
      .catch(async (error: unknown) => {
        await room.close(closeCodes.failed, "the document can't be read");
        throw error;
      });
    const entry: Entry = { room, opened, closing: undefined };
    this.#entries.set(name, entry);
    return entry;
  }

  async #restore(room: Room): Promise<void> {
    let failures = 0;
    const provider = openProvider(this.#side, this.#dbPath, room.name);
    const { store, updates } = await DocumentStore.open(provider, {
      encode: () => room.encode(),
      pictureBytes: () => this.megabytes * MB,
      durable: (upTo) => room.becameDurable(upTo),
      failed: (error) => {
        this.rejected++;
        if (failures++ === 0)
          this.#report(`room '${room.name}': a call was rejected, a snapshot will make up for it: ${String(error)}`);
      },
      inside: (ms) => this.#meter.inside(ms),
      savedSnapshot: () => this.#meter.snapshot(),
    });
    room.restore(store, updates);
    room.doc.on('update', () => this.#meter.patch());
  }

  #closeSoon(name: string, entry: Entry): void {
    clearTimeout(entry.closing);
    if (this.#stopping) return;
    entry.closing = setTimeout(() => {
      if (entry.room.empty && this.#entries.get(name) === entry) this.#close(name, entry);
    }, CLOSE_AFTER_MS);
  }

  #close(name: string, entry: Entry): void {
    this.#entries.delete(name);
    this.#closings = this.#closings.then(async () => {
      try {
        // before it is restored, there is no provider to close
        await entry.opened;
        await entry.room.close(closeCodes.goingAway, 'the room is closed');
      } catch (error) {
        this.#report(`room '${name}' could not be closed properly: ${String(error)}`);
      }
    });
    const closing = this.#closings;
    this.#leaving.set(name, closing);
    void closing.then(() => {
      if (this.#leaving.get(name) === closing) this.#leaving.delete(name);
    });
  }

  /** Saves the room's document now, with so many megabytes of pictures. */
  async saveSnapshot(name: string, megabytes: number): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    await entry.opened;
    await entry.room.store?.saveSnapshot(megabytes * MB);
  }

  /** Every document is saved and its provider closed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const [name, entry] of this.#entries) {
      clearTimeout(entry.closing);
      this.#close(name, entry);
    }
    await this.#closings;
  }
}

/** One file for all rooms, a store each: patches of different rooms are committed together. */
export function databaseIn(folder: string): string {
  return join(folder, 'documents.db');
}
