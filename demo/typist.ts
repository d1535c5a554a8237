/**
 * Makes up an editing session as a person writing a text would leave it: bursts of words with
 * pauses between, typing errors taken back by backspace, jumps of the cursor, pastes, words typed
 * over and passages deleted. Now and then a picture comes into the document, or a large value beside it,
 * so that it grows to some megabytes. The same seed gives the same session.
 */
import { seededRandom } from '../tests/support/random.ts';
import { applyEdit, type Edit, type Session, type Transaction } from './session.ts';

/** Pauses in milliseconds of the typist's time. */
const KEY_PAUSE = 110;
const BACKSPACE_PAUSE = 70;
const WORD_PAUSE = 180;
const SENTENCE_PAUSE = 900;
const THOUGHT_PAUSE = 4000;

/** Edits from one picture to the next, and from one large value to the next; no multiples of each other. */
const PICTURE_EVERY = 1300;
const VALUE_EVERY = 3100;

const words =
  `a all also and any are as at be because been before both but by can change clear code could day do document each
  edge end even every few file first for from garden give good great had has have her here his how if in into is it its
  just keep know large last leave letter light like line little long look made make many might more most must name
  never new night no not note now of often old on one only open or order other our out over own page paper part people
  place plain point question read right river room same say see sentence she short should side small some sound still
  story such table take tell text than that the their them then there these they thing think this those though thought
  through time to together too train two under until up use very voice walk want was water way we well were what when
  where which while who why will window with without word work world would write year yes yet you café naïve größer`.split(
    /\s+/,
  );
const letters = 'etaoinshrdlucmfwypvbgkjqxz';

/** Makes a session of exactly so many edits, each a transaction of its own. */
export function typeSession(seed: number, edits: number): Session {
  const typist = new Typist(seed, edits);
  typist.work();
  const { pictures, values } = addBinaries(typist.transactions, seed);
  const besides = pictures > 0 ? `, ${pictures} pictures and ${values} large values` : '';
  const title = `a made-up session of ${edits.toLocaleString('en')} edits${besides} (seed ${seed})`;
  return { title, transactions: typist.transactions, text: typist.text };
}

/** Pictures of some hundred KB each in the document, and values of some MB each beside it. */
function addBinaries(transactions: Transaction[], seed: number): { pictures: number; values: number } {
  const random = seededRandom(seed ^ 0x5bd1e995);
  let pictures = 0;
  let values = 0;
  for (const [index, transaction] of transactions.entries()) {
    if (index % PICTURE_EVERY === PICTURE_EVERY - 1) {
      transaction.picture = { bytes: Math.round((256 + 256 * random()) * 1024), seed: seed + index };
      pictures++;
    }
    if (index % VALUE_EVERY === VALUE_EVERY - 1) {
      transaction.value = { bytes: Math.round((1 + 2 * random()) * 1024 * 1024), seed: seed + index };
      values++;
    }
  }
  return { pictures, values };
}

class Typist {
  readonly transactions: Session['transactions'] = [];
  text = '';
  readonly #random: () => number;
  readonly #wanted: number;
  #cursor = 0;
  #wordsLeft = 0;

  constructor(seed: number, edits: number) {
    this.#random = seededRandom(seed);
    this.#wanted = edits;
  }

  work(): void {
    while (!this.#done) {
      const chance = this.#random();
      if (this.text.length < 400 || chance < 0.74) this.#typeSentence();
      else if (chance < 0.84) this.#jump();
      else if (chance < 0.89) this.#retypeWord();
      else if (chance < 0.94) this.#paste();
      else if (chance < 0.98) this.#deletePassage();
      else this.#eraseByBackspace(8 + this.#upTo(30));
    }
  }

  get #done(): boolean {
    return this.transactions.length >= this.#wanted;
  }

  /** An integer from 0 to below `limit`. */
  #upTo(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #word(): string {
    return words[this.#upTo(words.length)] ?? '';
  }

  #edit(position: number, deleted: number, inserted: string, pause: number): void {
    if (this.#done) return;
    const edit: Edit = [position, deleted, inserted];
    this.text = applyEdit(this.text, edit);
    this.#cursor = position + inserted.length;
    // nobody keeps time: between half and one and a half of it
    this.transactions.push({ edits: [edit], pause: pause * (0.5 + this.#random()) });
  }

  #type(typed: string, pause = KEY_PAUSE): void {
    for (const [index, character] of Array.from(typed).entries()) {
      this.#edit(this.#cursor, 0, character, index === 0 ? pause : KEY_PAUSE);
    }
  }

  #typeWord(word: string, pause: number): void {
    if (this.#random() > 0.06) {
      this.#type(word, pause);
      return;
    }
    // a wrong letter, noticed at once or a few letters later
    const right = this.#upTo(word.length);
    const wrong = letters[this.#upTo(letters.length)] ?? 'e';
    const noticed = word.slice(right + 1, right + 1 + this.#upTo(4));
    this.#type(word.slice(0, right) + wrong + noticed, pause);
    this.#eraseByBackspace(1 + noticed.length);
    this.#type(word.slice(right));
  }

  #typeSentence(): void {
    this.#wordsLeft = 3 + this.#upTo(12);
    let pause = this.#random() < 0.15 ? THOUGHT_PAUSE : SENTENCE_PAUSE;
    for (let first = true; this.#wordsLeft > 0 && !this.#done; first = false) {
      const word = this.#word();
      this.#typeWord(first ? word.charAt(0).toUpperCase() + word.slice(1) : word, pause);
      this.#wordsLeft--;
      if (this.#wordsLeft > 0) this.#type(this.#random() < 0.08 ? ', ' : ' ');
      pause = WORD_PAUSE;
    }
    const chance = this.#random();
    this.#type(chance < 0.12 ? '.\n\n' : chance < 0.2 ? '? ' : '. ');
  }

  #eraseByBackspace(count: number): void {
    for (let left = count; left > 0 && this.#cursor > 0; left--) {
      this.#edit(this.#cursor - 1, 1, '', left === count ? SENTENCE_PAUSE / 2 : BACKSPACE_PAUSE);
      if (this.#done) return;
    }
  }

  /** To a word's start anywhere, mostly not far away; or back to the end. */
  #jump(): void {
    if (this.#random() < 0.4) {
      this.#cursor = this.text.length;
      return;
    }
    const reach = this.#random() < 0.7 ? 600 : this.text.length;
    const target = this.#cursor - reach / 2 + this.#upTo(reach);
    this.#cursor = this.#wordStart(Math.max(0, Math.min(this.text.length, Math.round(target))));
    for (let left = 1 + this.#upTo(6); left > 0 && !this.#done; left--) {
      this.#typeWord(this.#word(), WORD_PAUSE);
      this.#type(' ');
    }
  }

  #wordStart(near: number): number {
    return this.text.lastIndexOf(' ', Math.max(0, near - 1)) + 1;
  }

  /** Selects a word and types another over it: the first key deletes and inserts at once. */
  #retypeWord(): void {
    const start = this.#wordStart(this.#upTo(this.text.length));
    const end = this.text.indexOf(' ', start);
    if (end <= start) return;
    const [first = 'a', ...rest] = Array.from(this.#word());
    this.#edit(start, end - start, first, SENTENCE_PAUSE);
    this.#type(rest.join(''));
  }

  /** A passage of this text again, or one from elsewhere. */
  #paste(): void {
    // mostly a sentence or two, now and then whole pages
    const length = 40 + this.#upTo(this.#random() < 0.3 ? 16_000 : 400);
    let passage = '';
    if (this.#random() < 0.5) {
      const start = this.#upTo(this.text.length);
      passage = this.text.slice(start, start + length);
    } else {
      while (passage.length < length) passage += `${this.#word()} `;
    }
    this.#edit(this.#cursor, 0, passage, SENTENCE_PAUSE);
  }

  #deletePassage(): void {
    const start = this.#wordStart(this.#upTo(this.text.length));
    const length = Math.min(20 + this.#upTo(this.#random() < 0.2 ? 8000 : 400), this.text.length - start);
    if (length > 0) this.#edit(start, length, '', THOUGHT_PAUSE / 2);
  }
}
