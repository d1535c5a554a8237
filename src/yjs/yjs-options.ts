/** Options of all that keeps documents of Yjs. */
import { urlOf } from '../documents/index.ts';
import { type Acceptance, yesOrNo } from '../main/option-checks.ts';
import type { YjsModule } from '../protocol/yjs.ts';

export interface YjsOptions<Doc> {
  /** The module `yjs` that the program uses. */
  Y?: YjsModule<Doc>;
  /**
   * Where the thread that merges documents finds the same Yjs: the URL of a module. Without it, it looks where the program
   * lies; a program that is bundled has to name it.
   */
  yjs?: { readonly href: string } | string;
  /**
   * Whether documents that are not open are merged as those with `gc: true`, which drop what was deleted. Default true; an
   * open one says so itself.
   */
  gc?: boolean;
}

export const yjsOptions: Record<keyof YjsOptions<unknown>, Acceptance> = {
  Y: {
    what: 'the module yjs that the program uses',
    test: (value) => typeof (value as Partial<YjsModule<unknown>> | null)?.applyUpdate === 'function',
  },
  yjs: { what: 'the URL of a module', test: (value) => urlOf(value) !== undefined },
  gc: yesOrNo,
};
