/** Documents that YjsPersistence keeps. */
import { setTimeout as pause } from 'node:timers/promises';
import { YjsPersistence } from 'sds-persistence-worker/yjs';
import * as Y from 'yjs';
import { numbersIn, updateOf } from '../../numbered-changes.ts';
import { isOver, noted, random } from '../in-trouble.ts';
import { Live } from './live.ts';
import { Home, ignored, isTold, nextName, onError, options } from './subject.ts';

export class YjsHome extends Home<YjsDocument> {
  persistence = this.#made();

  #made(): YjsPersistence<Y.Doc> {
    return new YjsPersistence(this.path, { Y, ...options, onError });
  }

  add(id: string, isAlone: boolean): void {
    const subject = new YjsDocument(this, id, isAlone);
    this.subjects.push(subject);
    subject.open();
  }

  async open(): Promise<void> {
    this.persistence = this.#made();
    for (const subject of this.subjects) subject.open();
  }

  protected end(): Promise<void> {
    return this.persistence.destroy();
  }
}

class YjsDocument extends Live {
  readonly #home: YjsHome;
  #isLoaded = false;

  constructor(home: YjsHome, id: string, isAlone: boolean) {
    super(id, isAlone);
    this.#home = home;
  }

  open(doc = new Y.Doc()): void {
    const by = nextName();
    const isNew = numbersIn(doc).size === 0;
    this.take(doc, by);
    this.callAll(doc);
    this.#isLoaded = false;
    const look = this.looking();
    noted(this.#home.persistence.bindState(this.id, doc)).then(() => {
      if (isNew) look('bound', numbersIn(doc));
      this.#isLoaded = this.by === by;
    }, ignored);
  }

  readonly others = [
    () => this.reopen(),
    () => this.reopen(),
    () => this.clear(),
    () => this.clear(),
    () => void this.#flush(),
    () => void this.#flush(),
    () => void this.read(async () => numbersIn(await this.#home.persistence.getYDoc(this.id))),
    () => this.isOpen && void this.append((number) => this.#home.persistence.storeUpdate(this.id, updateOf(number))),
    () => void noted(this.#home.persistence.getStateVector(this.id)).catch(ignored),
    () => random.chance(0.3) && this.#home.renew(),
  ];

  async reopen(): Promise<void> {
    const { doc, by, id } = this;
    if (doc === undefined) return;
    const { persistence } = this.#home;
    this.leave();
    const store = async () => {
      const answer = this.asking(by);
      await noted(persistence.writeState(id, doc));
      // what could not be stored, another one may have, or it is told by `destroy`
      const isHere = !isTold(id) || (this.isAlone && this.by === by);
      if (isHere && this.#home.closing === 0) answer('ok');
    };
    const stored = random.chance(0.8) ? store() : undefined;
    if (random.chance(0.5)) await stored;
    if (stored === undefined || random.chance(0.3)) doc.destroy();
    if (random.chance(0.2)) await this.clear(); // while it is being released, or after that
    if (random.chance(0.3)) await pause(random.below(300));
    const isFree = !this.isOpen && persistence === this.#home.persistence && this.#home.closing === 0;
    if (isFree && !isOver()) this.open(random.chance(0.2) && !doc.isDestroyed ? doc : undefined);
  }

  async #flush(): Promise<void> {
    const answer = this.asking();
    await noted(this.#home.persistence.flushDocument(this.id)).then(() => {
      // it reads what is stored, behind all that was called before, if nothing of that was rejected
      if (!isTold(this.id) && this.#home.closing === 0) answer('ok');
    }, ignored);
  }

  async clear(): Promise<void> {
    if (!this.isAlone || !this.#isLoaded || this.#home.closing > 0) return;
    const removed = this.removeAll(() => this.#home.persistence.clearDocument(this.id));
    if (random.chance(0.7)) await removed;
    if (random.chance(0.5)) await this.reopen();
  }
}
