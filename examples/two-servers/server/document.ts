/**
 * One document that this server has. An edit is stored first; only when it is durable, it changes the
 * document, its editor is told so and the others get it. So what the server has in memory is in the
 * database, nobody sees anything that can be lost, and at any trouble the server can just let go: the
 * editors come back, here or at another server, and send again what they were not told to be durable.
 */
import type { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import * as Y from 'yjs';
import { closeCodes, encode, kinds } from '../protocol.ts';
import { loadDocument, type StoredDocument, saveDocument } from './stored-document.ts';

const SNAPSHOT_AFTER_BYTES = 16 * 1024; // small, so that a short run has some; 512 KB is a good size

/** One who edits the document, as the document sees it. */
export interface Guest {
  send(message: Uint8Array): void;
  close(code: number, reason: string): void;
}

/** What became of a document here. */
export interface Ended {
  /** Number of the last patch that is durable, as far as this server knows. */
  clock: number;
  /** How many edits were not stored, by the code of the error. */
  refused: Record<string, number>;
}

/** Called once nobody is there any more, or something failed. */
type Over = (document: Document) => void;

export class Document {
  readonly #provider: SDS_DesktopPersistenceProvider;
  readonly #doc: Y.Doc;
  readonly #guests = new Set<Guest>();
  /** Numbers of the last patch that was appended, and of the last one that is durable. */
  #appended: number;
  #durable: number;
  #bytesSinceSnapshot = 0;
  #saving = false;
  readonly #refused: Record<string, number> = {};
  /** Code of the error after which it lets go. */
  #code: string | undefined;
  #closing: Promise<Ended> | undefined;
  readonly #over: Over;

  private constructor(provider: SDS_DesktopPersistenceProvider, stored: StoredDocument, over: Over) {
    this.#provider = provider;
    this.#doc = stored.doc;
    this.#appended = stored.clock;
    this.#durable = stored.clock;
    this.#over = over;
  }

  /**
   * Rejects with the code `fenced` if another server has the document, and does not give it back or die
   * within the provider's `BusyTimeoutMs`.
   */
  static async open(provider: SDS_DesktopPersistenceProvider, over: Over): Promise<Document> {
    try {
      // waits for the lease of a server that is gone to run out
      await provider.ready();
      return new Document(provider, await loadDocument(provider), over);
    } catch (error) {
      await provider.close();
      throw error;
    }
  }

  /** Number of the last patch that is durable, as far as this server knows. */
  get clock(): number {
    return this.#durable;
  }

  /** What somebody lacks who has this. */
  missing(stateVector: Uint8Array): Uint8Array {
    return Y.encodeStateAsUpdate(this.#doc, stateVector);
  }

  /** @returns false if the document is on its way out */
  add(guest: Guest): boolean {
    if (this.#closing !== undefined) return false;
    this.#guests.add(guest);
    return true;
  }

  remove(guest: Guest): void {
    this.#guests.delete(guest);
    if (this.#guests.size === 0) this.#over(this);
  }

  /** @throws if the update is none of Yjs's: once stored, it would be in the way of all later readers */
  edit(from: Guest, number: number, update: Uint8Array): void {
    Y.decodeUpdate(update);
    if (this.#closing !== undefined) return;
    const clock = ++this.#appended;
    this.#provider.appendPatch(update, clock).then(
      () => this.#stored(from, number, update, clock),
      (error: unknown) => {
        const code = codeOf(error);
        this.#refused[code] = (this.#refused[code] ?? 0) + 1;
        this.#failed(error);
      },
    );
  }

  #stored(from: Guest, number: number, update: Uint8Array, clock: number): void {
    // behind one that was refused it is of no use; the next who opens the document may find it or not
    if (this.#code !== undefined) return;
    Y.applyUpdate(this.#doc, update);
    this.#durable = clock;
    from.send(encode(kinds.durable, number));
    const message = encode(kinds.update, 0, update);
    for (const guest of this.#guests) if (guest !== from) guest.send(message);
    this.#bytesSinceSnapshot += update.byteLength;
    if (this.#bytesSinceSnapshot >= SNAPSHOT_AFTER_BYTES && !this.#saving) void this.#saveSnapshot();
  }

  async #saveSnapshot(): Promise<void> {
    this.#saving = true;
    this.#bytesSinceSnapshot = 0;
    try {
      await saveDocument(this.#provider, this.#doc, this.#durable);
    } catch (error) {
      this.#failed(error);
    }
    this.#saving = false;
  }

  /** Whatever it was: another server has the store (`fenced`), or the database is away or full. */
  #failed(error: unknown): void {
    if (this.#code !== undefined) return;
    this.#code = codeOf(error);
    for (const guest of this.#guests) {
      guest.close(this.#code === 'fenced' ? closeCodes.elsewhere : closeCodes.failed, 'the document went elsewhere');
    }
    this.#over(this);
  }

  /** Gives the store back; the next server has it at once. */
  close(): Promise<Ended> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<Ended> {
    for (const guest of this.#guests) guest.close(closeCodes.goingAway, 'the server stops');
    await this.#provider.close(); // after all that was appended
    this.#doc.destroy();
    return { clock: this.#durable, refused: this.#refused };
  }
}

/** The code of a provider's error. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
