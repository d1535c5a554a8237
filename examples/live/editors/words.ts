/** What simulated editors write, from a generator of random numbers so that both servers get the same. */
import { seededRandom } from '../../../tests/support/random.ts';

const words =
  `a all also and any are as at be because before but by can change clear code could day do document each edge end
  even every few file first for from garden give good great had has have here how if in into is it its just keep know
  large last leave letter light like line little long look made make many might more most must name never new night no
  not note now of often old on one only open or order other our out over own page paper part people place plain point
  question read right river room same say see sentence she short should side small some sound still story such table
  take tell text than that the their them then there these they thing think this though thought through time to
  together two under until up use very voice walk want was water way we well were what when where which while who why
  will window with without word work world would write year yes yet you café naïve größer`.split(/\s+/);

export class Words {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** An integer from 0 to below `limit`. */
  upTo(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  sentence(): string {
    const count = 4 + this.upTo(9);
    const list = Array.from({ length: count }, () => words[this.upTo(words.length)] ?? '');
    const text = list.join(' ');
    return `${text.charAt(0).toUpperCase()}${text.slice(1)}. `;
  }

  /** A passage from elsewhere, as it comes out of the clipboard. */
  passage(length: number): string {
    let text = '';
    while (text.length < length) text += this.sentence();
    return text;
  }
}
