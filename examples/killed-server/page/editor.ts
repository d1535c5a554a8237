/** A textarea that shows a text of Yjs, and a client of the server. */
import * as Y from 'yjs';

/** A client of a server, which keeps a document in step with the one that is there. */
export interface Connection {
  /** Resolves once the document has what the server has. */
  readonly loaded: Promise<void>;
  end(): void;
}

export type Connect = (url: string, document: Y.Doc) => Connection;

export class Editor {
  readonly #area: HTMLTextAreaElement;
  readonly #document = new Y.Doc();
  readonly #text = this.#document.getText('text');
  readonly #connection: Connection;
  readonly #end = new AbortController();

  constructor(area: HTMLTextAreaElement, connection: (document: Y.Doc) => Connection) {
    this.#area = area;
    this.#connection = connection(this.#document);
    area.value = '';
    this.#text.observe((_, { local }) => {
      if (!local) this.#show();
    });
    area.addEventListener('input', () => this.#take(), { signal: this.#end.signal });
  }

  get length(): number {
    return this.#text.length;
  }

  /** Resolves once it has what the server has. */
  get loaded(): Promise<void> {
    return this.#connection.loaded;
  }

  /** One update for each character. */
  type(text: string): void {
    for (const character of text) this.#text.insert(this.#text.length, character);
    this.#show();
  }

  /** Many small things, as a document has them that was worked on for long. */
  makeLarge(): void {
    const cells = this.#document.getMap('cells');
    this.#document.transact(() => {
      for (let i = 0; i < 50_000; i++) cells.set(`cell ${i}`, Math.random().toString(36));
    });
  }

  #show(): void {
    const { selectionStart, selectionEnd } = this.#area;
    this.#area.value = this.#text.toString();
    this.#area.setSelectionRange(selectionStart, selectionEnd);
  }

  /** What lies between what is the same at the beginning and at the end. */
  #take(): void {
    const [before, after] = [this.#text.toString(), this.#area.value];
    const most = Math.min(before.length, after.length);
    let start = 0;
    while (start < most && before[start] === after[start]) start++;
    let same = 0;
    while (same < most - start && before.at(-1 - same) === after.at(-1 - same)) same++;
    this.#document.transact(() => {
      this.#text.delete(start, before.length - start - same);
      this.#text.insert(start, after.slice(start, after.length - same));
    });
  }

  /** As if its window were closed: what only it has is gone. */
  close(): void {
    this.#end.abort();
    this.#connection.end();
    this.#document.destroy();
  }
}
