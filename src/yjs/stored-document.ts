/** A document of Yjs that is open: what is stored is applied to it, and what changes it is stored. */
import { type CompactedLog, type Documents, type LiveDocument, mergeFailed } from '../documents/index.ts';
import type { SDS_PersistenceError } from '../main/index.ts';
import { Buffer } from '../protocol/surroundings.ts';
import { applyStored, dropsDeleted, EMPTY_BYTES, type YjsDoc, type YjsModule } from '../protocol/yjs.ts';
import type { YjsMerging } from './merging.ts';

/** What a document is opened with. */
export interface Opening<Doc extends YjsDoc> {
  name: string;
  doc: Doc;
  documents: Documents;
  merging: YjsMerging<Doc>;
  /** By which changes are known that come from the database. */
  origin: object;
}

export abstract class StoredDocument<Doc extends YjsDoc> implements LiveDocument {
  readonly doc: Doc;
  readonly log: CompactedLog;
  protected readonly Y: YjsModule<Doc>;
  protected readonly documents: Documents;
  protected readonly origin: object;
  /** What waits in the document for updates that are not there yet, as far as it is stored: Yjs tells nobody that it came. */
  #storedOfWaiting: readonly (Uint8Array | null)[] = [null, null];
  /** All of the document as it was last stored, or deleted, while Yjs told nobody of its changes. */
  #storedOfMute: Uint8Array | undefined;
  isLeaving = false;
  #leaving: Promise<void> | undefined;

  constructor({ name, doc, documents, merging, origin }: Opening<Doc>) {
    this.doc = doc;
    this.Y = merging.Y;
    this.documents = documents;
    this.origin = origin;
    this.log = documents.open(name, merging.of(dropsDeleted(doc)), this);
  }

  /** Stores what the document has, and applies what is stored; once it is known to whoever may be asked to delete or release it. */
  begin(): Promise<void> {
    this.doc.on('update', this.onUpdate); // in the turn of the change: before anybody else hears of it
    const before = this.state();
    if (before.byteLength > EMPTY_BYTES) void this.log.append(before);
    this.#allIsStored();
    return this.log.restored ?? this.log.restore(); // a subscriber, who was told of the commit, may have bound it, too
  }

  state(): Uint8Array {
    return this.Y.encodeStateAsUpdate(this.doc);
  }

  protected readonly onUpdate = (update: Uint8Array, origin: unknown, _: unknown, transaction: object): void => {
    if (origin !== this.origin) this.append(update, origin, transaction);
  };

  /** With the origin and the transaction of a change. */
  protected append(update: Uint8Array, _origin?: unknown, _transaction?: object): void {
    void this.log.append(update);
  }

  /** @param since - the state vector of what needs not be */
  protected appendAll(since?: Uint8Array): void {
    this.append(this.Y.encodeStateAsUpdate(this.doc, since));
    this.#allIsStored();
  }

  // ---- what Yjs tells nobody of ----------------------------------------------------------------------

  /** Yjs puts another update in the place of each with whatever comes, often of the same bytes. */
  get #waiting(): readonly (Uint8Array | null)[] {
    const { pendingStructs, pendingDs } = this.doc.store;
    return [pendingStructs?.update ?? null, pendingDs];
  }

  /** Whether something waits for other updates that is not stored. */
  protected get lacksWaiting(): boolean {
    return this.#waiting.some((one, index) => !isSame(one, this.#storedOfWaiting[index]));
  }

  /** Whether Yjs tells nobody of any change: within a transaction, and for ever behind one of which a listener has thrown. */
  protected get isMute(): boolean {
    return (this.doc._transactionCleanups?.length ?? 0) > 0;
  }

  /** Whether it has something that is not stored, and of which nobody was told. */
  get hasUntold(): boolean {
    return this.lacksWaiting || (this.isMute && !isSame(this.state(), this.#storedOfMute));
  }

  #allIsStored(): void {
    this.#storedOfWaiting = this.#waiting;
    this.#storedOfMute = this.isMute ? this.state() : undefined;
  }

  /**
   * What of the stored updates waits is stored already; what has waited for them becomes part of the document, which nobody else
   * tells of: then all of it is stored. So it is if a listener throws just then: an observer may have changed the document.
   */
  apply(updates: readonly Uint8Array[]): void {
    const { hasUntold } = this;
    const wasMute = this.isMute;
    try {
      applyAll(this.Y, this.doc, updates, this.origin, (error) =>
        this.isNotApplied(this.documents.trouble.about(this.log.name, error)),
      );
    } finally {
      if (hasUntold || this.isMute !== wasMute) this.appendAll();
      else this.#allIsStored();
    }
  }

  /** What comes of an update that can't be applied: the others are, unless this throws. */
  protected isNotApplied(error: SDS_PersistenceError): void {
    this.documents.trouble.tell('merge', this.log.name, error);
  }

  /** See `CompactedLog.removeStored`. What nobody was told of is removed along with what is stored. */
  removeStored(): Promise<void> {
    this.#allIsStored();
    return this.log.removeStored();
  }

  // ---- leaving -----------------------------------------------------------------------------------

  /** Stores what is to be stored, and releases the store. Calling it again is the same call. */
  leave(): Promise<void> {
    this.isLeaving = true; // in there others may be told something, who call anything
    this.#leaving ??= this.release();
    return this.#leaving;
  }

  protected abstract release(): Promise<void>;
}

/** Applies updates in one transaction. One that can't be applied is passed to `fail`, and keeps none of the others out. */
export function applyAll<Doc extends YjsDoc>(
  Y: YjsModule<Doc>,
  doc: Doc,
  updates: readonly Uint8Array[],
  origin: object,
  fail: (error: SDS_PersistenceError) => void,
): void {
  doc.transact(() => {
    for (const update of updates) {
      try {
        applyStored(Y, doc, update, origin);
      } catch (error) {
        fail(mergeFailed(error as Error));
      }
    }
  }, origin);
}

/** Both may be large, and it is asked before each change. */
function isSame(bytes: Uint8Array | null, others: Uint8Array | null | undefined): boolean {
  return bytes === others || (bytes && others ? Buffer.compare(bytes, others) === 0 : false);
}
