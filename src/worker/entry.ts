/** Where a worker thread begins: this file, bundled, travels as text inside the package's main file. */
import { readlinkSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { expose, transfer } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { BOOTED, type SharedMemory, THREAD_ID } from '../protocol/control.ts';
import { countCheckpointsIn } from './checkpoint-count.ts';
import { Service } from './service.ts';
import { SqliteEngine } from './sqlite-engine.ts';

const shared = workerData as SharedMemory;

/** By this a blocked main thread can see whether this one still lives; only Linux tells it. */
function threadId(): number {
  try {
    return Number(/\d+$/.exec(readlinkSync('/proc/thread-self'))?.[0] ?? 0);
  } catch {
    return 0; // no Linux, or no /proc: Node's own signs have to do
  }
}

if (parentPort !== null) {
  const port = parentPort;
  countCheckpointsIn(shared.control);
  Atomics.store(new Int32Array(shared.control), THREAD_ID, threadId());
  const service = new Service(shared, (path, transient) => new SqliteEngine(path, transient), transfer);
  Reflect.deleteProperty(shared, 'arena'); // the service has it, and lets go of it for another one
  expose(service, nodeEndpoint(port));
  // a message that can't be read will never be handled: this worker is replaced
  port.on('messageerror', (error) => {
    throw error;
  });
  // from the event loop: the main side tells by the loop's times whether this thread has ended
  setImmediate(() => Atomics.store(new Int32Array(shared.control), BOOTED, 1));
}
