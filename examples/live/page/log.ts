/** What happened, latest first. */
import type { Side } from '../protocol/control.ts';
import { elementOf } from './elements.ts';

const MOST_ENTRIES = 40;

export class Log {
  readonly #list = elementOf('#log', HTMLOListElement);
  readonly #empty = elementOf('#log-empty', HTMLElement);

  add(side: Side | undefined, text: string, at = Date.now()): void {
    const entry = document.createElement('li');
    if (side !== undefined) entry.className = `of-${side}`;
    const time = document.createElement('time');
    time.textContent = new Date(at).toLocaleTimeString('en-GB');
    const words = document.createElement('span');
    words.textContent = text;
    entry.append(time, words);
    this.#list.prepend(entry);
    this.#empty.hidden = true;
    while (this.#list.childElementCount > MOST_ENTRIES) this.#list.lastElementChild?.remove();
  }
}
