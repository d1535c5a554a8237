/** Answers a worker that asks for a password: each connection may need another one, such as a token that expires. */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { outsideOfCalls } from '../../protocol/async-context.ts';
import type { PasswordSource } from '../../protocol/service.ts';
import { describeSecret } from '../option-checks.ts';

/** Returns the port on which the worker asks; it keeps no process alive. */
export function passwordAnswers(ask: () => Promise<string>): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const source: PasswordSource = {
    async password() {
      const found: unknown = await outsideOfCalls(ask); // a connection belongs to no call
      if (typeof found !== 'string') throw new TypeError(`it must resolve with a string, not ${describeSecret(found)}`);
      return found;
    },
  };
  expose(source, nodeEndpoint(port1));
  port1.unref();
  return port2;
}
