/** Merges documents of Yjs: in the merging thread, or, where that finds no Yjs, in this one. */
import { type Merging, merge, mergeFailed, NoMergeModule, type Trouble } from '../documents/index.ts';
import { placesToLookFrom } from '../main/location.ts';
import type { MergingLimits } from '../protocol/document-options.ts';
import type { MergeTask, YjsSource } from '../protocol/merging.ts';
import { mergingBy, type Yjs } from '../protocol/merging-yjs.ts';
import type { Promise } from '../protocol/surroundings.ts';

/** What modules have besides the names that they export. */
const NO_EXPORTS = ['default', '__esModule', 'module.exports'];

export class YjsMerging {
  readonly #Y: Yjs;
  readonly #source: Omit<YjsSource, 'gc'>;
  readonly #limits: MergingLimits;
  readonly #trouble: () => Trouble;
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
    return { run: (task, parts, isWaitedFor, against) => this.#run(gc, task, parts, isWaitedFor, against) };
  }

  async #run(
    gc: boolean,
    task: MergeTask,
    parts: Uint8Array[],
    isWaitedFor: boolean,
    against: Uint8Array | undefined,
  ): Promise<Uint8Array> {
    if (this.#isHere) return this.#runHere(gc, task, parts, against);
    const limits = this.#limits;
    try {
      return await merge({ source: { ...this.#source, gc }, task, parts, against, isWaitedFor, limits });
    } catch (error) {
      if (error instanceof NoMergeModule) this.#mergeHere(error.message);
      throw error;
    }
  }

  #runHere(gc: boolean, task: MergeTask, parts: Uint8Array[], against: Uint8Array | undefined): Uint8Array {
    try {
      return mergingBy(this.#Y, gc)[task](parts, against);
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
