/** Settles what the worker has finished: reads what became of each call, and gives the memory back. */
import { SLOT_COLLIDED, SLOT_FOREIGN_WRITER } from '../../protocol/control.ts';
import { ENTRY_COLLIDED, entryBytes, FIRST_ERROR, operationNames } from '../../protocol/entries.ts';
import { errorCodes, makeError, type SDS_PersistenceError } from '../../protocol/errors.ts';
import {
  BATCH_COLLIDED,
  BATCH_FAILED,
  BATCH_FOREIGN_WRITER,
  SLAB_HEADER,
  SLAB_USED,
  usedOf,
} from '../../protocol/slabs.ts';
import type { PendingMemory } from '../memory/pending-memory.ts';
import { warnOfCollision, warnOfForeignWriter } from '../warnings.ts';
import type { Batch, Settler } from './batch.ts';
import type { LargeWrite } from './large-write.ts';
import type { Member } from './member.ts';

/** What it takes to say what went wrong. */
export interface Findings {
  readonly memory: PendingMemory;
  readonly dbPath: string;
  readonly sqliteVersion: string;
  causeOf(number: number, outcome: number): Error | undefined;
}

type Failures = Map<number, SDS_PersistenceError>;

/** Settles the promises of a finished batch, and returns its first error. Its slabs go back first: a promise may be told of room. */
export function settleBatch(batch: Batch, findings: Findings): SDS_PersistenceError | undefined {
  const failed = failuresOf(batch, findings);
  giveBack(batch, findings.memory);
  batch.settled = true;
  const { settlers } = batch;
  // by index: this runs for each promise, and iterators of pairs are garbage that holds up the event loop
  for (let index = 0; index < settlers.length; index++) {
    const settler = settlers[index] as Settler; // index is below the length
    const error = failed?.get(index);
    if (error === undefined) settler.resolve(undefined);
    else settler.reject(error);
  }
  tellWatchers(batch, failed);
  return failed?.values().next().value;
}

/** Rejects all that is not finished of a batch. */
export function refuseBatch(batch: Batch, memory: PendingMemory, reason: (call: string) => SDS_PersistenceError): void {
  giveBack(batch, memory);
  batch.settled = true;
  const failed: Failures = new Map();
  for (const [index, { operation, reject }] of batch.settlers.entries()) {
    const error = reason(operationNames[operation] ?? '');
    failed.set(index, error);
    reject(error);
  }
  tellWatchers(batch, failed);
}

function tellWatchers({ settlers, watchers }: Batch, failed: Failures | undefined): void {
  if (failed === undefined && watchers.length === 0) return;
  const first = new Map<Member, SDS_PersistenceError>();
  for (const [index, error] of failed ?? []) {
    const { member } = settlers[index] as Settler; // failures are noted by the index of a settler
    if (first.has(member)) continue;
    first.set(member, error);
    member.failures++;
  }
  for (const watcher of watchers) watcher(first);
}

function giveBack(batch: Batch, memory: PendingMemory): void {
  for (const slab of batch.slabs) memory.giveBackSlab(slab);
}

/** The errors by settler; nearly always there are none and nothing is looked at. */
function failuresOf(batch: Batch, findings: Findings): Failures | undefined {
  const { memory, dbPath } = findings;
  const flags = memory.flagsOf(batch.firstSlab);
  if (flags === 0) return undefined;
  if (flags & BATCH_FOREIGN_WRITER) warnOfForeignWriter(dbPath, findings.sqliteVersion);
  if ((flags & (BATCH_FAILED | BATCH_COLLIDED)) === 0) return undefined;
  const failed: Failures = new Map();
  for (const at of entriesOf(batch, memory)) {
    const cell = at >> 2;
    const word = memory.cell(cell);
    const index = memory.cell(cell + 4);
    const { member, operation } = batch.settlers[index] as Settler; // each entry was written with its settler
    if ((word >> 16) & ENTRY_COLLIDED) warnOfCollision(member);
    const outcome = (word >> 8) & 0xff;
    if (outcome < FIRST_ERROR || failed.has(index)) continue;
    failed.set(index, errorOf(operation, batch.number, outcome, findings));
  }
  return failed.size > 0 ? failed : undefined;
}

/** Where each entry of a complete batch starts in the arena. */
function* entriesOf(batch: Batch, memory: PendingMemory): Generator<number> {
  for (const slab of batch.slabs) {
    const start = memory.startOf(slab);
    const end = start + usedOf(memory.cell((start >> 2) + SLAB_USED));
    for (let at = start + SLAB_HEADER; at < end; ) {
      yield at;
      at += entryBytes(memory.cell((at >> 2) + 2), memory.cell((at >> 2) + 3));
    }
  }
}

function errorOf(operation: number, number: number, outcome: number, findings: Findings): SDS_PersistenceError {
  const code = errorCodes[outcome - FIRST_ERROR] ?? 'io-error';
  const call = operationNames[operation] ?? '';
  return makeError(code, call, findings.dbPath, undefined, findings.causeOf(number, outcome));
}

/** Settles a write that crossed by itself; `noted` is what the worker left in its slot. */
export function settleWrite(write: LargeWrite, noted: number, findings: Findings): SDS_PersistenceError | undefined {
  if (noted & SLOT_FOREIGN_WRITER) warnOfForeignWriter(findings.dbPath, findings.sqliteVersion);
  if (noted & SLOT_COLLIDED) warnOfCollision(write.member);
  const outcome = noted & 0xff;
  if (outcome >= FIRST_ERROR) {
    const error = errorOf(write.operation, write.number, outcome, findings);
    refuseWrite(write, error);
    return error;
  }
  write.resolve(undefined);
  for (const watcher of write.watchers) watcher(undefined);
  return undefined;
}

export function refuseWrite(write: LargeWrite, error: SDS_PersistenceError): void {
  write.member.failures++;
  write.reject(error);
  const failures = new Map([[write.member, error]]);
  for (const watcher of write.watchers) watcher(failures);
}
