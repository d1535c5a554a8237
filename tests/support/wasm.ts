/** WebAssembly's memory, which Node has but TypeScript only declares together with the DOM. */

interface WithMemory {
  WebAssembly: { Memory: new (descriptor: { initial: number }) => { buffer: ArrayBuffer } };
}

/** Memory that can neither be moved nor detached. */
export function wasmMemory(pages: number): ArrayBuffer {
  const { WebAssembly } = globalThis as unknown as WithMemory;
  return new WebAssembly.Memory({ initial: pages }).buffer;
}
