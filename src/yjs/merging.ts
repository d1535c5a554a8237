/** Merges documents of Yjs: in the merging thread, or, where that finds no Yjs, in this one. */
import { type Merging, merge, mergeFailed, NoMergeModule, type Trouble, Turns } from '../documents/index.ts';
import { placesToLookFrom } from '../main/location.ts';
import type { MergingLimits } from '../protocol/document-options.ts';
import type { MergeTask, YjsSource } from '../protocol/merging.ts';
import { mergingBy, type Yjs } from '../protocol/merging-yjs.ts';
import { open, type Parcel, seal } from '../protocol/parcel.ts';
import { blockOf, viewsOf } from '../protocol/patch-blocks.ts';
import type { Promise } from '../protocol/surroundings.ts';

/** What modules have besides the names that they export. */
const NO_EXPORTS = ['default', '__esModule', 'module.exports'];

export class YjsMerging {
  readonly #Y: Yjs;
  readonly #source: Omit<YjsSource, 'gc'>;
  readonly #limits: MergingLimits;
  readonly #trouble: () => Trouble;
  /** One document is loaded and merged at a time. A database that is away for long holds up no other one. */
  readonly #turns = new Turns();
  #isHere = false;

  /** @param url - of the module, if the program names it */
  constructor(Y: Yjs, url: string | undefined, limits: MergingLimits, trouble: () => Trouble) {
    this.#Y = Y;
    const names = Object.keys(Y).filter((name) => !NO_EXPORTS.includes(name));
    this.#source = { kind: 'yjs', url, places: placesToLookFrom(), names };
    this.#limits = limits;
    this.#trouble = trouble;
  }

  /** For documents that drop what was deleted, or keep it. */
  of(gc: boolean): Merging {
    return {
      run: async (task, load, isWaitedFor, against) => {
        await this.#turns.take(isWaitedFor);
        try {
          const parts = await load();
          return parts && (await this.#run(gc, task, parts, isWaitedFor, against));
        } finally {
          this.#turns.pass();
        }
      },
    };
  }

  async #run(
    gc: boolean,
    task: MergeTask,
    parts: Parcel,
    isWaitedFor: boolean,
    against: Uint8Array | undefined,
  ): Promise<Parcel> {
    if (this.#isHere) return this.#runHere(gc, task, parts, against);
    const limits = this.#limits;
    try {
      return await merge({ source: { ...this.#source, gc }, task, parts, against, isWaitedFor, limits });
    } catch (error) {
      if (error instanceof NoMergeModule) this.#mergeHere(error.message);
      throw error;
    }
  }

  #runHere(gc: boolean, task: MergeTask, parts: Parcel, against: Uint8Array | undefined): Parcel {
    try {
      return seal([blockOf(mergingBy(this.#Y, gc)[task](viewsOf(open(parts)), against))]);
    } catch (error) {
      throw mergeFailed(error as Error);
    }
  }

  #mergeHere(reason: string): void {
    this.#isHere = true;
    this.#trouble().warn(
      'SDS_NO_MERGING_THREAD',
      '',
      `documents are merged on the calling thread, since the thread that should do so has no Yjs: ${reason}. ` +
        "The option 'yjs' names the module, for instance: yjs: new URL('./yjs.mjs', import.meta.url)",
    );
  }
}
