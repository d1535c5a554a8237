/** A textarea that shows a text of Yjs, and a client of the server. */
import { HocuspocusProvider } from '@hocuspocus/provider';
import * as Y from 'yjs';
import { DOCUMENT } from '../protocol.ts';

export class Editor {
  readonly #area: HTMLTextAreaElement;
  readonly #document = new Y.Doc();
  readonly #text = this.#document.getText('text');
  readonly #provider: HocuspocusProvider;
  readonly #end = new AbortController();

  constructor(area: HTMLTextAreaElement, url: string) {
    this.#area = area;
    this.#provider = new HocuspocusProvider({ url, name: DOCUMENT, document: this.#document });
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
  async loaded(): Promise<void> {
    if (this.#provider.isSynced) return;
    await new Promise<void>((resolve) => this.#provider.on('synced', () => resolve()));
  }

  type(text: string): void {
    this.#text.insert(this.#text.length, text);
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
    this.#provider.destroy();
    this.#document.destroy();
  }
}
