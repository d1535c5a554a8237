/** One editor's connection to a server. */
import type { WebSocket } from 'ws';
import { closeCodes, decode, encode, kinds } from '../protocol.ts';
import { codeOf, type Document, type Guest } from './document.ts';
import type { Documents } from './documents.ts';

/** What waits for an editor that does not read. */
const UNREAD_BYTES = 8 * 1024 * 1024;

class Refusal extends Error {
  readonly code: number;

  constructor(code: number, reason: string) {
    super(reason);
    this.code = code;
  }
}

export class Connection implements Guest {
  readonly #socket: WebSocket;
  readonly #name: string;
  readonly #documents: Documents;
  #document: Document | undefined;

  constructor(socket: WebSocket, name: string, documents: Documents) {
    this.#socket = socket;
    this.#name = name;
    this.#documents = documents;
    socket.on('message', (data: Buffer) => void this.#receive(data));
    socket.on('close', () => this.#document?.remove(this));
    // `ws` closes the connection after it
    socket.on('error', (error) => console.error(`An editor of '${name}': ${error.message}`));
  }

  async #receive(data: Buffer): Promise<void> {
    try {
      const { kind, number, bytes } = decode(data);
      if (kind === kinds.hello) await this.#hello(bytes);
      else if (kind === kinds.edit && this.#document !== undefined) this.#document.edit(this, number, bytes);
      else throw new RangeError('no such message');
    } catch (error) {
      if (error instanceof Refusal) this.close(error.code, error.message);
      // bytes that can't be decoded, by whatever error
      else this.close(closeCodes.notUnderstood, 'a message that is none');
    }
  }

  async #hello(stateVector: Uint8Array): Promise<void> {
    this.#document ??= await this.#join();
    this.send(encode(kinds.missing, 0, this.#document.missing(stateVector)));
    // it left while the document was being opened
    if (this.#socket.readyState === this.#socket.CLOSED) this.#document.remove(this);
  }

  async #join(): Promise<Document> {
    try {
      return await this.#documents.join(this.#name, this);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'fenced') throw new Refusal(closeCodes.elsewhere, 'another server has the document');
      throw new Refusal(closeCodes.failed, `the document can't be opened: ${code}`);
    }
  }

  send(message: Uint8Array): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > UNREAD_BYTES) this.#socket.terminate();
    else this.#socket.send(message);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }
}
