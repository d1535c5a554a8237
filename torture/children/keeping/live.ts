/** Documents of Yjs in memory. */
import type * as Y from 'yjs';
import { numbersIn } from '../../numbered-changes.ts';
import { random } from '../in-trouble.ts';
import { nextNumber, Subject } from './subject.ts';

export abstract class Live extends Subject {
  protected doc: Y.Doc | undefined;
  /** Whether it was removed, and not changed since: then all of it is stored again. */
  #isRemoved = false;

  get isOpen(): boolean {
    return this.doc !== undefined;
  }

  leave(): void {
    this.doc = undefined;
  }

  protected take(doc: Y.Doc, by: string): void {
    if (this.by !== by) this.#isRemoved = false;
    this.doc = doc;
    this.by = by;
  }

  protected callAll(doc: Y.Doc): void {
    for (const number of numbersIn(doc)) this.called(number);
  }

  protected making(number: number): void {
    this.called(number);
  }

  change(): void {
    const { doc } = this;
    if (doc === undefined) return;
    if (this.#isRemoved) this.callAll(doc);
    this.#isRemoved = false;
    const number = nextNumber();
    this.making(number);
    doc.transact(() => {
      doc.getArray('all').push([number]);
      if (random.chance(0.02)) doc.getMap('state').set('large', 'x'.repeat(random.below(60_000)));
      const text = doc.getText('text');
      text.insert(random.below(text.length + 1), `${number} `);
      if (text.length > 500) text.delete(0, 250);
    });
  }

  protected removeAll(call: () => Promise<unknown>): Promise<void> {
    this.#isRemoved = true;
    return this.remove(call);
  }
}
