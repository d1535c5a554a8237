/** Merges documents of Yjs: in the merging thread, or, where that finds no Yjs, in this one. */
import { inTurns, type Merging, merge, mergeFailed, NoMergeModule, type Trouble, Turns } from '../documents/index.ts';
import { searchPaths } from '../main/search-paths.ts';
import type { MergingLimits } from '../protocol/document-options.ts';
import type { MergeOrder, YjsSource } from '../protocol/merge-messages.ts';
import { mergeParcel } from '../protocol/merge-parcel.ts';
import { mergingBy } from '../protocol/merging-yjs.ts';
import type { Parcel } from '../protocol/parcel.ts';
import type { YjsDoc, YjsModule } from '../protocol/yjs.ts';

/** What modules have besides the names that they export. */
const NO_EXPORTS = ['default', '__esModule', 'module.exports'];

export class YjsMerging<Doc extends YjsDoc> {
  readonly Y: YjsModule<Doc>;
  readonly #source: Omit<YjsSource, 'gc'>;
  readonly #limits: MergingLimits;
  readonly #trouble: () => Trouble;
  /** One document is loaded and merged at a time. A database that is away for long holds up no other one. */
  readonly #turns = new Turns();
  #isHere = false;

  /** @param url - of the module, if the program names it */
  constructor(Y: YjsModule<Doc>, url: string | undefined, limits: MergingLimits, trouble: () => Trouble) {
    this.Y = Y;
    const names = Object.keys(Y).filter((name) => !NO_EXPORTS.includes(name));
    this.#source = { kind: 'yjs', url, searchPaths: searchPaths(), names };
    this.#limits = limits;
    this.#trouble = trouble;
  }

  /** For documents that drop what was deleted, or keep it. */
  of(gc: boolean): Merging {
    const source = { ...this.#source, gc };
    const run = inTurns(this.#turns, (order, parts) =>
      this.#isHere ? this.#mergeHere(gc, order, parts) : merge({ source, order, parts }, this.#limits),
    );
    return async (...task) => {
      try {
        return await run(...task);
      } catch (error) {
        if (!(error instanceof NoMergeModule)) throw error;
        this.#isHere = true;
        this.#trouble().warn('SDS_NO_MERGING_THREAD', '', notInThread(error.cause as Error));
        return run(...task);
      }
    };
  }

  async #mergeHere(gc: boolean, order: MergeOrder, parts: Parcel): Promise<Parcel> {
    try {
      return await mergeParcel(mergingBy(this.Y, gc)[order.task], order, parts);
    } catch (error) {
      throw mergeFailed(error as Error);
    }
  }
}

const notInThread = ({ message }: Error) =>
  `documents are merged on the calling thread, because the thread that should do so has no Yjs: ${message}. ` +
  "The option 'yjs' names the module, for instance: yjs: new URL('./yjs.mjs', import.meta.url)";
