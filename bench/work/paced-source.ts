/** Patches from another process, through its pipe, at a pace. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export class PacedSource {
  readonly #patchBytes: number;
  readonly #sender: ChildProcess;
  #onPatch: ((patch: Uint8Array) => void) | undefined;
  #left = 0;
  #onEnd: (() => void) | undefined;
  /** The beginning of a patch of which the rest did not come yet. */
  #part: Uint8Array = new Uint8Array(0);

  constructor(patchBytes: number) {
    this.#patchBytes = patchBytes;
    const file = fileURLToPath(new URL('./paced-sender.ts', import.meta.url));
    this.#sender = spawn(process.execPath, [file], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#sender.stdout?.on('data', (bytes: Uint8Array) => this.#receive(bytes));
  }

  #receive(bytes: Uint8Array): void {
    const size = this.#patchBytes;
    const all = this.#part.byteLength === 0 ? bytes : Buffer.concat([this.#part, bytes]);
    let at = 0;
    for (; at + size <= all.byteLength; at += size) {
      this.#onPatch?.(all.subarray(at, at + size));
      this.#left--;
    }
    this.#part = all.subarray(at);
    if (this.#left === 0) this.#onEnd?.();
  }

  /** Resolves once so many patches have come. */
  async receive(perSecond: number, count: number, onPatch: (patch: Uint8Array) => void): Promise<void> {
    this.#onPatch = onPatch;
    this.#left = count;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEnd = resolve;
    const ended = (code: number | null) => {
      throw new Error(`the sender ended with ${code} before all patches had come`);
    };
    this.#sender.once('exit', ended);
    this.#sender.stdin?.write(`${perSecond} ${count} ${this.#patchBytes}\n`);
    await promise;
    this.#sender.off('exit', ended);
  }

  async close(): Promise<void> {
    this.#sender.stdin?.end();
    await once(this.#sender, 'exit');
  }
}
