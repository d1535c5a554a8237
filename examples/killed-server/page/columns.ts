/** Both servers side by side: their editors, their event loops, and what is left once they were killed. */
import { type Side, type State, WORKER } from '../protocol.ts';
import { type Connect, Editor } from './editor.ts';

const SHOWN_MS = 20_000;
/** Between two characters. */
const TYPING_MS = 20;
/** Characters of a page that is typed at once. */
const PAGE = 4000;

function element<E extends Element>(parent: ParentNode, selector: string): E {
  const found = parent.querySelector<E>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}

class Column {
  readonly #section: HTMLElement;
  readonly #connect: Connect;
  #editors: Editor[] = [];
  /** Of all characters, when the server was killed. */
  #before: number | undefined;
  readonly #delays: { at: number; ms: number }[] = [];

  constructor(side: Side, connect: Connect) {
    this.#connect = connect;
    const template = element<HTMLTemplateElement>(document, 'template');
    const copy = template.content.cloneNode(true) as DocumentFragment;
    this.#section = element(copy, 'section');
    this.#section.id = side;
    element(copy, 'h2').textContent = side === WORKER ? 'sds-persistence-worker' : side;
    element(document, 'main').append(copy);
    const order = (name: string) => void fetch(`/${name}/${side}`, { method: 'POST' });
    this.#button('kill').onclick = () => {
      this.#before = this.length;
      order('kill');
    };
    this.#button('start').onclick = () => order('start');
  }

  #button(name: 'kill' | 'start'): HTMLButtonElement {
    return element(this.#section, `.${name}`);
  }

  get length(): number {
    return Math.max(0, ...this.#editors.map((editor) => editor.length));
  }

  type(text: string): void {
    this.#editors[0]?.type(text);
  }

  makeLarge(): void {
    this.#editors[0]?.makeLarge();
  }

  hear({ port, delayMs }: State): void {
    this.#button('kill').disabled = port === undefined;
    this.#button('start').disabled = port !== undefined;
    element(this.#section, '.state').textContent =
      port === undefined ? 'the server is gone' : `it serves at port ${port}`;
    if (delayMs !== undefined) this.#showDelay(delayMs);
    if (port === undefined) this.#close();
    else if (this.#editors.length === 0) void this.#open(port);
  }

  #showDelay(ms: number): void {
    const now = performance.now();
    this.#delays.push({ at: now, ms });
    while (this.#delays[0] !== undefined && this.#delays[0].at < now - SHOWN_MS) this.#delays.shift();
    const longest = Math.max(...this.#delays.map((delay) => delay.ms));
    element(this.#section, '.delay').textContent = longest.toFixed(1);
  }

  async #open(port: number): Promise<void> {
    const url = `ws://127.0.0.1:${port}`;
    const areas = this.#section.querySelectorAll('textarea');
    this.#editors = [...areas].map((area) => new Editor(area, (text) => this.#connect(url, text)));
    await Promise.all(this.#editors.map((editor) => editor.loaded));
    if (this.#before === undefined) return;
    const lost = Math.max(0, this.#before - this.length);
    const outcome = element<HTMLElement>(this.#section, '.outcome');
    outcome.textContent = `${lost} of ${this.#before} characters were lost`;
    outcome.dataset.lost = lost > 0 ? 'yes' : 'no';
    this.#before = undefined;
  }

  /** Its people have closed their windows: only the server could know what they typed. */
  #close(): void {
    for (const editor of this.#editors) editor.close();
    this.#editors = [];
  }
}

/** @param other - the other persistence, as the example's servers know it */
export function showColumns(other: Side, connect: Connect): void {
  const columns = new Map([WORKER, other].map((side) => [side, new Column(side, connect)]));
  const onEach = (act: (column: Column) => void) => {
    for (const column of columns.values()) act(column);
  };

  new EventSource('/states').onmessage = ({ data }) => {
    const state = JSON.parse(data) as State;
    columns.get(state.side)?.hear(state);
  };

  const words = 'the quick brown fox jumps over the lazy dog ';
  const page = words.repeat(PAGE / words.length);
  element<HTMLButtonElement>(document, '#page').onclick = () => onEach((column) => column.type(page));
  element<HTMLButtonElement>(document, '#large').onclick = () => onEach((column) => column.makeLarge());
  let typed = 0;
  setInterval(() => {
    if (!element<HTMLInputElement>(document, '#typing').checked) return;
    const character = words[typed++ % words.length] as string; // one of its places
    onEach((column) => column.type(character));
  }, TYPING_MS);
}
