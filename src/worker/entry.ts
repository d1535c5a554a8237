/** Where a worker thread begins: this file, bundled, travels as text inside the package's main file. */
import { parentPort, workerData } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { BOOTED, type SharedMemory } from '../protocol/control.ts';
import { Service } from './service.ts';
import { SqliteEngine } from './sqlite-engine.ts';

const shared = workerData as SharedMemory;

if (parentPort !== null) {
  const service = new Service(shared, (path, transient) => new SqliteEngine(path, transient));
  expose(service, nodeEndpoint(parentPort));
  // a message that can't be read will never be handled: this worker is replaced
  parentPort.on('messageerror', (error) => {
    throw error;
  });
  // from the event loop: the main side tells by the loop's times whether this thread has ended
  setImmediate(() => Atomics.store(new Int32Array(shared.control), BOOTED, 1));
}
