/** Lets calls in, holds their caller, or refuses them: while too much is pending, and all of them once nothing goes on. */
import { makeError, type SDS_PersistenceError } from '../../protocol/errors.ts';
import type { PendingMemory } from '../memory/pending-memory.ts';
import type { FileObserver } from '../observe/file-observer.ts';
import { isInTheMiddle } from '../observe/notes.ts';
import type { Member } from './member.ts';

export type GiveUpReason = (call: string) => SDS_PersistenceError;

/** What it needs of the dispatcher. */
export interface Room {
  readonly memory: PendingMemory;
  /** Whatever is finished gives its own back. */
  settleNow(): void;
  /** Holds the caller until there is room, or the worker is given up, or nothing has proceeded for so long. */
  block(until: () => boolean, patienceMs: number): boolean;
}

export class Backpressure {
  readonly #dbPath: string;
  readonly #observer: FileObserver;
  readonly #room: Room;
  /** Why nothing goes on, if so: every call is refused with it. */
  #lost: GiveUpReason | undefined;

  constructor(dbPath: string, observer: FileObserver, room: Room) {
    this.#dbPath = dbPath;
    this.#observer = observer;
    this.#room = room;
  }

  giveUp(reason: GiveUpReason): void {
    this.#lost = reason;
  }

  /** Why nothing can be called any more, if so. */
  refusalOf(call: string): SDS_PersistenceError | undefined {
    return this.#lost?.(call);
  }

  /** Waits until so many bytes may be added beside the slabs. One call that is larger than all goes alone. */
  admit(length: number, member: Member, call: string): SDS_PersistenceError | undefined {
    const refusal = this.refusalOf(call);
    if (refusal !== undefined) return refusal;
    const { memory } = this.#room;
    const fits = () => memory.pendingBytes === 0 || memory.pendingBytes + length <= member.settings.MaxPendingBytes;
    if (fits()) return undefined;
    this.#room.settleNow();
    if (fits()) return undefined;
    return this.holdOrRefuse(fits, member, call) ?? this.refusalOf(call);
  }

  /** Holds the caller until there is room, or refuses, as its provider is set to. */
  holdOrRefuse(hasRoom: () => boolean, { settings }: Member, call: string): SDS_PersistenceError | undefined {
    // in the middle of sending, which goes on once this call, of a hook, has returned: there is nothing to wait for
    const refuses = settings.Overflow === 'reject' || isInTheMiddle();
    if (refuses) return makeError('queue-full', call, this.#dbPath);
    this.#observer.hold(() => this.#room.block(hasRoom, Number.POSITIVE_INFINITY));
    return undefined;
  }
}
