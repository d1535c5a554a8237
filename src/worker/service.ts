/** What the main side talks to: takes batches from the ring and calls through Comlink, and gives them to their files. */
import type { MessagePort } from 'node:worker_threads';
import { transfer } from 'comlink';
import { Arena } from '../protocol/arena.ts';
import { BOOTED, FILE_AT_WORK, RETIRED, type SharedMemory, WORKS_BEGUN } from '../protocol/control.ts';
import { Delays } from '../protocol/delays.ts';
import { IN_PARCEL, type LoadOperation, NOT_IMPORTED } from '../protocol/entries.ts';
import { ErrorBoard, type Settlers } from '../protocol/error-board.ts';
import type { ReportedCause } from '../protocol/errors.ts';
import { accountForAtOnce } from '../protocol/gc-pressure.ts';
import { buffersOf, packOf } from '../protocol/packed-bytes.ts';
import { seal } from '../protocol/parcel.ts';
import { Ring } from '../protocol/ring.ts';
import type {
  Bytes,
  Found,
  Loaded,
  LoadRequest,
  ProviderMessage,
  Report,
  StoreFound,
  StoreInParcel,
  WorkerService,
} from '../protocol/service.ts';
import { Promise } from '../protocol/surroundings.ts';
import type { FileHost } from './batches.ts';
import { failedBefore } from './behind-a-save.ts';
import { ReceivedBytes } from './channel/received-bytes.ts';
import type { Engine, MaybePromise } from './engine.ts';
import { type FileMember, WorkerFile } from './file.ts';
import { Loads } from './loads.ts';
import { Loop } from './loop.ts';
import { verified } from './verify-value.ts';

/** `control` is the control block of the worker that the engine serves. */
export type NewEngine = (provider: ProviderMessage, control: Int32Array) => Engine;

/** The thread that it runs in. It may serve several workers, each with a loop, which sleeps only where it is alone. */
interface ServingThread {
  readonly isAlone: boolean;
  serve(shared: SharedMemory, port: MessagePort): void;
}

export class Service implements WorkerService, FileHost {
  arena: Arena;
  readonly commitPoints: Int32Array;
  readonly members = new Map<number, FileMember>();
  readonly #control: Int32Array;
  readonly #board: ErrorBoard;
  readonly #newEngine: NewEngine;
  readonly #ring: Ring;
  readonly #loop: Loop;
  readonly #thread: ServingThread;
  readonly #files = new Map<number, WorkerFile>();
  /** Files with tasks that wait. */
  readonly #waiting = new Set<WorkerFile>();
  /** Files that batches came for since the last pause. */
  readonly #written = new Set<WorkerFile>();

  constructor(shared: SharedMemory, newEngine: NewEngine, lingerMs: number, thread: ServingThread) {
    this.#control = new Int32Array(shared.control);
    this.commitPoints = new Int32Array(shared.commitPoints);
    this.#board = new ErrorBoard(shared.board);
    this.arena = new Arena(shared.arena);
    this.#newEngine = newEngine;
    this.#ring = new Ring(this.#control);
    this.#loop = new Loop(this.#control, this.#ring, this, lingerMs, thread);
    this.#thread = thread;
  }

  attach(message: ProviderMessage, passwords?: MessagePort): Promise<Report> {
    this.#begin();
    const { member: id, file: fileId, delays, password } = message;
    const newFile = () => new WorkerFile(fileId, this.#newEngine(message, this.#control), new Delays(delays), this);
    const file = this.#files.get(fileId) ?? newFile();
    this.#files.set(fileId, file);
    // known already, if this is another attempt to open the file
    const known = this.members.get(id);
    if (known !== undefined) passwords?.close(); // it has one
    const member = known ?? {
      ...message,
      ...failedBefore(message),
      password: passwords ?? password,
      file,
    };
    this.members.set(id, member);
    return this.#answer(file, (done) => file.attach(member, done));
  }

  detach(id: number): Promise<Report> {
    this.#begin();
    const member = known(this.members, id);
    const { file } = member;
    return this.#answer(file, (done: (report: Report) => void) =>
      file.detach(member, (report) => {
        this.members.delete(id);
        if (file.members.size === 0) this.#files.delete(file.id);
        done(report);
      }),
    );
  }

  load(call: number, requests: readonly LoadRequest[]): Promise<Loaded[]> {
    this.#begin();
    const { file } = known(this.members, (requests[0] as LoadRequest)[0]); // there is one at least
    const loads = new Loads(requests.length);
    for (const request of requests) this.#addLoad(request, loads);
    file.loads.set(call, loads);
    const found = this.#found(loads);
    this.#proceed(file);
    return found;
  }

  loadRest(id: number, call: number): Promise<Loaded[]> {
    this.#begin();
    const file = known(this.#files, id);
    this.#waiting.add(file); // told in the loop: here, Comlink would post the answers of calls behind it first
    return this.#found(known(file.loads, call));
  }

  leaveRest(id: number, call: number): void {
    this.#begin();
    const file = known(this.#files, id);
    file.loads.delete(call);
    this.#proceed(file);
  }

  #addLoad([id, askedAt, operation, key, clock]: LoadRequest, loads: Loads): void {
    const member = known(this.members, id);
    const asParcel = operation === 'loadStore' && key === IN_PARCEL;
    member.file.load(
      askedAt,
      (engine) => read(engine, member, operation, key, clock),
      (loaded) => loads.add(asParcel && 'found' in loaded ? { found: inParcel(loaded.found as StoreFound) } : loaded),
    );
  }

  #found(loads: Loads): Promise<Loaded[]> {
    const told = this.#told((done: (found: Loaded[]) => void) => loads.ask(done));
    // what an engine has found lies in buffers of its own
    const handedOver = (loaded: Loaded) => ('found' in loaded ? transferablesOf(loaded.found) : []);
    return told.then((all) => transfer(all, all.flatMap(handedOver)));
  }

  /** At each pause of a file's work: what has been found is not held back for what comes behind it. */
  #tellFound({ loads }: WorkerFile): void {
    for (const [call, some] of loads) {
      some.tell();
      if (!some.areOver) return; // later ones are told of after it
      loads.delete(call);
    }
  }

  write(id: number, number: number, firstSlab: number, askedAt: number, data: Bytes): Promise<void> {
    this.#begin();
    const file = known(this.#files, id);
    return this.#answer(file, (done) =>
      file.addBatch({ number, firstSlab, askedAt, large: new ReceivedBytes(data, done) }),
    );
  }

  wake(dropped: number): void {
    this.#begin();
    if (dropped > 0) accountForAtOnce(dropped);
  }

  useArena(arena: SharedArrayBuffer): void {
    this.#begin();
    accountForAtOnce(this.arena.buffer.byteLength);
    this.arena = new Arena(arena);
  }

  serve(shared: SharedMemory, port: MessagePort): void {
    this.#begin();
    this.#thread.serve(shared, port);
  }

  retire(): void {
    this.#begin();
    const files = [...this.#files.values()];
    let left = files.length + 1;
    const closed = () => {
      if (--left === 0) Atomics.store(this.#control, BOOTED, RETIRED);
      this.progressed();
    };
    for (const file of files) {
      file.closeForNow(closed);
      file.proceed(); // not noted as work: the end of the process is not kept waiting for it for long
      if (!file.idle) this.#waiting.add(file);
    }
    closed();
  }

  /** Begins to handle a call: what came by the ring before it goes first, and what comes after it is looked for. */
  #begin(): void {
    try {
      this.take();
    } finally {
      this.#ring.callHandled(); // whatever happens: what follows in the ring waits for it
      this.#loop.schedule(); // what has failed in this call fails again in the loop, which ends the thread
    }
    this.#loop.worked();
    this.#loop.tellIfWanted(); // what the call asks for may take long
  }

  #answer<T>(file: WorkerFile, ask: (done: (value: T) => void) => void): Promise<T> {
    const told = this.#told(ask);
    this.#proceed(file);
    return told;
  }

  #told<T>(ask: (done: (value: T) => void) => void): Promise<T> {
    return new Promise((resolve) => {
      ask((value) => {
        this.#loop.answered();
        resolve(value);
      });
    });
  }

  take(): void {
    this.#ring.take(this.#addBatch);
    for (const file of this.#waiting) this.#proceed(file);
  }

  #addBatch = (id: number, number: number, firstSlab: number, askedAt: number): void => {
    const file = known(this.#files, id);
    file.addBatch({ number, firstSlab, askedAt });
    this.#waiting.add(file);
    this.#written.add(file);
    this.#loop.batchCame();
  };

  /** Told in case that this thread ends meanwhile. */
  #isAtWork(file: WorkerFile | undefined): void {
    if (file !== undefined) Atomics.add(this.#control, WORKS_BEGUN, 1);
    this.#control[FILE_AT_WORK] = file === undefined ? 0 : file.id + 1;
  }

  #proceed(file: WorkerFile): number {
    this.#isAtWork(file);
    const next = file.proceed();
    this.#isAtWork(undefined);
    this.#tellFound(file);
    if (file.idle) this.#waiting.delete(file);
    else this.#waiting.add(file);
    return next;
  }

  proceed(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const file of this.#waiting) next = Math.min(next, this.#proceed(file));
    return next;
  }

  get waitsForPromise(): boolean {
    for (const file of this.#waiting) if (file.waitsForPromise) return true;
    return false;
  }

  /** A pause of some milliseconds, between batches: of the files that something was written to since the last one. */
  pause(): void {
    for (const file of this.#written) {
      this.#isAtWork(file);
      if (file.idle) file.pause();
    }
    this.#isAtWork(undefined);
    this.#written.clear();
  }

  /** Returns whether to come again later. One file at a time, and no further once there is work. */
  tidyUp(): boolean {
    let again = false;
    for (const file of this.#files.values()) {
      if (!this.#ring.isEmpty) return true;
      if (!file.idle) continue;
      this.#isAtWork(file);
      if (file.tidyUp()) again = true;
      this.#isAtWork(undefined);
    }
    return again;
  }

  progressed(): void {
    this.#loop.progressed();
  }

  resumed(): void {
    this.#loop.schedule();
  }

  report(file: number, number: number, which: Settlers, outcome: number, cause: ReportedCause): void {
    this.#board.note(file, number, which, outcome, cause);
    this.#loop.failed();
  }
}

function known<T>(all: ReadonlyMap<number, T>, id: number): T {
  const found = all.get(id);
  if (found === undefined) throw new Error(`there is no file or provider ${id}`); // a fault of this program
  return found;
}

function read(
  engine: Engine,
  member: FileMember,
  operation: LoadOperation,
  key: string,
  clock: number,
): MaybePromise<Found> {
  if (operation === 'loadSnapshot') return engine.loadSnapshot(member);
  if (operation === 'loadPatchesSince') return engine.loadPatchesSince(member, clock);
  if (operation === 'loadStore') return engine.loadStore(member);
  if (operation === 'listStores') {
    if (key === NOT_IMPORTED) return { stores: engine.listNotImported?.() ?? [] };
    const stores = engine.listStores(member);
    return stores instanceof Promise ? stores.then((names) => ({ stores: names })) : { stores };
  }
  if (operation === 'loadRecord') return engine.loadRecord(member, key);
  if (operation === 'loadRecords') return engine.loadRecords(member, key);
  const value = engine.loadValue(member, key);
  if (!member.VerifyValues) return value;
  return value instanceof Promise ? value.then((data) => verified(key, data)) : verified(key, value);
}

function inParcel({ snapshot, snapshotClock, patches, lastClock }: StoreFound): StoreInParcel {
  const snapshotBytes = snapshot?.byteLength ?? 0;
  const count = patches.reduce((sum, { lengths }) => sum + lengths.length, 0);
  const parcel = seal(snapshot === undefined ? patches : [packOf(snapshot), ...patches]);
  const patchBytes = parcel.length - snapshotBytes;
  return { parcel, snapshotClock, snapshotBytes, patches: count, patchBytes, lastClock };
}

function transferablesOf(found: Found): (ArrayBuffer | MessagePort)[] {
  if (found === undefined || 'stores' in found) return [];
  if (Array.isArray(found)) return buffersOf(found);
  if ('parcel' in found) return [found.parcel.port];
  if ('patches' in found) return [...transferablesOf(found.snapshot), ...buffersOf(found.patches)];
  return 'data' in found ? buffersOf(found.data) : [found.buffer as ArrayBuffer];
}
