/** What one simulated editor does, key press by key press; the same on both servers. */
import type { Words } from './words.ts';

/** A key press inserts something, or deletes all that this editor has written where it is. */
export type KeyPress = { insert: string } | 'delete my passage';

export class Script {
  readonly #words: Words;
  /** Pastes bring the volume, but nobody wants to read them. */
  readonly #pastes: boolean;
  #typing: string[] = [];
  #written = 0;
  #most = 0;

  constructor(words: Words, pastes: boolean) {
    this.#words = words;
    this.#pastes = pastes;
  }

  get begun(): boolean {
    return this.#most > 0;
  }

  next(): KeyPress {
    const key = this.#typing.shift();
    if (key !== undefined) return this.#insert(key);
    if (this.#most === 0) {
      this.#most = 120 + this.#words.upTo(300);
    } else if (this.#written >= this.#most) {
      this.#most = 0;
      this.#written = 0;
      return 'delete my passage';
    }
    this.#typing = Array.from(this.#words.sentence());
    if (this.#pastes) return { insert: this.#words.passage(2000 + this.#words.upTo(6000)) };
    return this.#insert(this.#typing.shift() ?? ' ');
  }

  #insert(insert: string): KeyPress {
    this.#written++;
    return { insert };
  }
}
