/** Providers in another process, called from this one. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { SDS_ProviderOptions } from 'sds-persistence-worker';
import type { Call } from './model.ts';

export interface Request {
  id: number;
  path: string;
  store: string;
  what: 'open' | 'close' | Call;
  /** Of the provider that is opened. */
  options: SDS_ProviderOptions;
}

export class OtherProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(answer: unknown): void; reject(reason: Error): void }>();
  #lastId = 0;

  constructor() {
    this.#child = fork(join(import.meta.dirname, 'children', 'calling.ts'), {
      execArgv: ['--disable-warning=ExperimentalWarning', '--disable-warning=SDS_CLOCK_COLLISION'],
      serialization: 'advanced',
    });
    this.#child.on('message', ({ id, answer }: { id: number; answer: unknown }) => {
      this.#waiting.get(id)?.resolve(answer);
      this.#waiting.delete(id);
    });
    this.#child.once('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`the other process ended with ${signal ?? code}`));
    });
  }

  /** Resolves with the answer, or with the code of the error; requests keep their order. */
  request(
    path: string,
    store: string,
    what: Request['what'],
    options: SDS_ProviderOptions = { Ownership: 'shared' },
  ): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, path, store, what, options } satisfies Request);
    });
  }

  end(): void {
    this.#child.disconnect();
  }
}
