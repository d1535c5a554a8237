/** Modules without declarations of their own. */

declare module 'virtual:worker-code' {
  const code: () => string;
  export default code;
}

/** Of threads that most processes never start. */
declare module 'virtual:rarely-used-code' {
  const codeOf: (name: 'postgresql' | 'operations') => string;
  export default codeOf;
}

declare module 'virtual:merging-code' {
  const code: () => string;
  export default code;
}

/** The path or URL of the file that this code is part of; `undefined` in a bundle that can't tell. */
declare module 'virtual:package-location' {
  const location: () => string | undefined;
  export default location;
}

declare module 'comlink/dist/esm/node-adapter.mjs' {
  import type { MessagePort, Worker } from 'node:worker_threads';
  import type { Endpoint } from 'comlink';
  export default function nodeEndpoint(port: MessagePort | Worker): Endpoint;
}
