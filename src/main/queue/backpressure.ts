/** Lets calls in, holds their caller, or refuses them, while too much is pending. */
import { makeError, type SDS_PersistenceError } from '../../protocol/errors.ts';
import type { PendingMemory } from '../memory/pending-memory.ts';
import type { FileObserver } from '../observe/file-observer.ts';
import { isInTheMiddle } from '../observe/notes.ts';
import type { Member } from './member.ts';

/** What admission needs of the queue that it is part of. */
export interface Admitting {
  readonly dbPath: string;
  readonly observer: FileObserver;
  /** Why nothing can be called any more, if so. */
  refusalOf(call: string): SDS_PersistenceError | undefined;
}

/** What it needs of the dispatcher. */
export interface Room {
  readonly memory: PendingMemory;
  /** Whatever is finished gives its own back. */
  settleNow(): void;
  /** Holds the caller until there is room, or the worker is given up. */
  hold(until: () => boolean): void;
}

export class Admission {
  readonly #queue: Admitting;
  readonly #room: Room;

  constructor(queue: Admitting, room: Room) {
    this.#queue = queue;
    this.#room = room;
  }

  /** Waits until so many bytes may be added beside the slabs. One call that is larger than all goes alone. */
  admit(length: number, member: Member, call: string): SDS_PersistenceError | undefined {
    const refusal = this.#queue.refusalOf(call);
    if (refusal !== undefined) return refusal;
    const { memory } = this.#room;
    const fits = () => memory.pendingBytes === 0 || memory.pendingBytes + length <= member.settings.MaxPendingBytes;
    if (fits()) return undefined;
    this.#room.settleNow();
    if (fits()) return undefined;
    return this.holdOrRefuse(fits, member, call) ?? this.#queue.refusalOf(call);
  }

  /** Holds the caller until there is room, or refuses, as its provider is set to. */
  holdOrRefuse(hasRoom: () => boolean, { settings }: Member, call: string): SDS_PersistenceError | undefined {
    // in the middle of sending, which goes on once this call, of a hook, has returned: there is nothing to wait for
    const refuses = settings.Overflow === 'reject' || isInTheMiddle();
    if (refuses) return makeError('queue-full', call, this.#queue.dbPath);
    this.#queue.observer.hold(() => this.#room.hold(hasRoom));
    return undefined;
  }
}
