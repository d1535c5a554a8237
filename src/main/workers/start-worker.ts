/** Starts a worker thread from the text of its code. */
import {
  MessageChannel,
  type MessagePort,
  type ResourceLimits,
  receiveMessageOnPort,
  type Transferable,
  Worker,
  type WorkerOptions,
  workerData,
} from 'node:worker_threads';
import { outsideOfCalls } from '../../protocol/async-context.ts';
import { OWNER, type SharedMemory } from '../../protocol/control.ts';
import { isNodeBefore } from '../../protocol/node-version.ts';

/** V8 lets the young generation grow to 48 MB, and keeps it; with 8 MB a burst is as fast, for 25 MB less. */
const resourceLimits = { maxYoungGenerationSizeMb: 8 };

/** From source text: that works in any bundle, archive or executable. A thread and its events belong to no call. */
export function startThread(
  code: string,
  name: string,
  data: { owner: string; port?: MessagePort },
  limits: ResourceLimits = resourceLimits,
  transferList: Transferable[] = [],
): Worker {
  if ((workerData as Partial<SharedMemory> | null)?.owner === OWNER) {
    // a file that the program preloads (`--require`) runs in this thread too: it must not start another
    throw new Error('this thread is a worker of sds-persistence-worker itself');
  }
  const options = {
    eval: true,
    name,
    workerData: data,
    transferList,
    resourceLimits: limits,
    ...optionsOfNode(code),
  };
  return outsideOfCalls(() => new Worker(code, options));
}

/**
 * The same with a port to speak to it by; the worker emits what comes from there as `told`, and before its `exit` all of it. By the port
 * that each thread has, others speak as well: foreign code that is loaded there, and Node (`--watch`).
 */
export function startWithPort(...[code, name, data, limits]: Parameters<typeof startThread>): [Worker, MessagePort] {
  const { port1: port, port2 } = outsideOfCalls(() => new MessageChannel());
  const worker = startThread(code, name, { ...data, port: port2 }, limits, [port2]);
  const tell = (message: unknown) => worker.emit('told', message);
  port.on('message', tell).unref(); // the worker itself may keep the process alive
  worker.on('exit', () => {
    const next = () => receiveMessageOnPort(port);
    for (let rest = next(); rest !== undefined; rest = next()) tell(rest.message);
    port.close();
  });
  return [worker, port];
}

/** The program's own options are inherited wherever that is possible; naming any replaces them all. */
function optionsOfNode(code: string): Pick<WorkerOptions, 'execArgv'> {
  // `node:sqlite` needs its flag from 22.5 to 22.12 (Node's changelog); a worker may have it alone
  const options = code.includes('node:sqlite') && isNodeBefore(22, 13) ? ['--experimental-sqlite'] : [];
  const inherited = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(/\s+/)];
  // the code is CommonJS; these options, inherited, would have it read as a module
  const changesForm = (option: string) => /^--(input-type|experimental-default-type)\b/.test(option);
  if (inherited.some(changesForm)) options.push('--input-type=commonjs');
  return options.length > 0 ? { execArgv: options } : {};
}
