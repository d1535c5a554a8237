/** What every kind of worker thread does first: offers the service, and says that it runs. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { BOOTED, type SharedMemory, THREAD_ID } from '../protocol/control.ts';
import { setImmediate } from '../protocol/surroundings.ts';
import { type NewEngine, Service } from './service.ts';
import { threadNumber } from './thread.ts';

/** @param lingerMs - after this much quiet the thread returns to its event loop */
export function start(newEngine: NewEngine, lingerMs: number): void {
  if (parentPort === null) return;
  let workers = 0;
  const thread = {
    get isAlone() {
      return workers === 1;
    },
    serve(shared: SharedMemory, port: MessagePort): void {
      workers++;
      // by this a blocked main thread can see whether this one still lives; without it, Node's own signs have to do
      Atomics.store(new Int32Array(shared.control), THREAD_ID, threadNumber());
      const service = new Service(shared, newEngine, lingerMs, thread);
      Reflect.deleteProperty(shared, 'arena'); // the service has it, and lets go of it for another one
      expose(service, nodeEndpoint(port));
      // a message that can't be read will never be handled: this worker is replaced
      port.on('messageerror', (error) => {
        throw error;
      });
      port.on('close', () => workers--);
      // from the event loop: the main side tells by the loop's times whether this thread has ended
      setImmediate(() => Atomics.store(new Int32Array(shared.control), BOOTED, 1));
    },
  };
  thread.serve(workerData as SharedMemory, parentPort);
}
