/** Limits that store nothing: a bare message there and back, a plain copy of memory, and no call at all. */
import { Worker } from 'node:worker_threads';
import type { Database, Driver } from './driver.ts';

const empty = { loadSnapshot: () => undefined, loadPatchesSince: () => [] };
const echo =
  "const { parentPort } = require('node:worker_threads'); parentPort.on('message', (m) => parentPort.postMessage(m))";

export const port: Driver = {
  title: 'a bare message there and back',
  committed: 'nothing is stored: the bytes cross to a worker, and come back',
  open(): Database {
    const worker = new Worker(echo, { eval: true });
    const waiting: (() => void)[] = [];
    worker.on('message', () => waiting.shift()?.());
    const send = (bytes: Uint8Array) =>
      new Promise<void>((resolve) => {
        waiting.push(resolve);
        worker.postMessage(bytes);
      });
    return { store: () => ({ ...empty, appendPatch: send, saveSnapshot: send }), close: () => worker.terminate() };
  },
};

export const copy: Driver = {
  title: 'a plain memory copy',
  committed: 'nothing is stored: the bytes are copied, patches one after the other into a block of 64 MB',
  open(): Database {
    const block = new Uint8Array(64 * 1024 * 1024);
    block.fill(1); // so that its pages are there
    let at = 0;
    const appendPatch = (patch: Uint8Array) => {
      if (at + patch.byteLength > block.byteLength) at = 0;
      block.set(patch, at);
      at += patch.byteLength;
    };
    return {
      store: () => ({
        ...empty,
        appendPatch,
        saveSnapshot(data) {
          const copied = new Uint8Array(data.byteLength);
          copied.set(data);
          return Promise.resolve(copied);
        },
      }),
      close() {},
    };
  },
};

export const nothing: Driver = {
  title: 'the same program, storing nothing',
  committed: 'nothing is stored',
  open: (): Database => ({ store: () => ({ ...empty, appendPatch() {}, saveSnapshot() {} }), close() {} }),
};
